// Precompiled for every test: see library.hpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cmake/pch/library.hpp"
