"""Tools that a worker offers in good faith, and that then cannot be run.

    folder = write_tools(cluster.folder)
    cluster.start_worker("w0", "--tools", folder, …)
"""

import pathlib


def write_tools(parent):
    """The folder of two tools: one whose program can be broken or removed, and a picky one."""
    folder = pathlib.Path(parent) / "broken-tools"
    folder.mkdir()
    program = folder / "vanishing-program"
    program.write_text("#!/bin/sh\necho there\n")
    program.chmod(0o755)
    (folder / "vanishing.toml").write_text(
        f'name = "vanishing"\n[command]\nargv = ["{program}"]\n')
    (folder / "picky.toml").write_text(
        'name = "picky"\n[command]\nargv = ["echo", "{param.depth}"]\n')
    return folder
