#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol::samples {

std::vector<Sample> bulk() {
  const std::string hash(64, 'a');
  return {{"BULK_HELLO full", BulkHello{BulkToken(0x6061626364656667, 0x68696a6b6c6d6e6f), 7}},
          {"BULK_HELLO minimal", BulkHello{}},
          {"BULK_WELCOME full", BulkWelcome{262'144, 16}},
          {"BULK_WELCOME minimal", BulkWelcome{}},
          {"PUT full", Put{hash, 5'000'000'000}},
          {"PUT minimal", Put{std::string(64, '0'), 0}},
          {"PUT_STATE full", PutState{true, 262'144, 1'310'720}},
          {"PUT_STATE minimal", PutState{}},
          {"PUT_DATA full", PutData{262'144, large_payload()}},
          {"PUT_DATA minimal", PutData{}},
          {"GET full", Get{hash, 262'144, 1'310'720}},
          {"GET minimal", Get{std::string(64, '0'), 0, 0}},
          {"GET_DATA full", GetData{262'144, 5'000'000'000, large_payload()}},
          {"GET_DATA minimal", GetData{}},
          {"GET_CREDIT full", GetCredit{2'097'152}},
          {"GET_CREDIT minimal", GetCredit{}},
          {"BULK_CANCEL full", BulkCancel{}},
          {"BULK_CANCEL minimal", BulkCancel{}}};
}

}  // namespace taskpipe::protocol::samples
