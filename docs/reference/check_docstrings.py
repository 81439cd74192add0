"""Names what is public in the Python package and undocumented; status 1 if anything is.

python3 check_docstrings.py FOLDER_OF_THE_PACKAGE INDEX.RST

Public are the names in `__all__`, and their members without a leading underscore, inherited ones
included. A class, method or property needs a docstring, an attribute a comment "#: …" or a line in
its class's "Attributes:", a parameter one in "Args:" (unless the docstring refers to another's).
"""

import ast
import pathlib
import re
import sys

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NOT_EXPORTED = {"__version__"}


def definitions(package):
    """The top-level classes, functions and constants of all modules, by name."""
    found = {}
    for path in sorted(package.glob("*.py")):
        lines = path.read_text().splitlines()
        module = ast.parse("\n".join(lines), str(path))
        for node in ast.walk(module):
            if hasattr(node, "end_lineno"):
                node.commented = "  #: " in lines[node.end_lineno - 1]
        for node in module.body:
            for name in names_of(node):
                found.setdefault(name, node)
    return found


def names_of(node):
    """What a statement defines."""
    if isinstance(node, (ast.ClassDef, *FUNCTIONS)):
        return [node.name]
    targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def exported(package):
    """The names in `__all__`."""
    for node in ast.parse((package / "__init__.py").read_text()).body:
        if "__all__" in names_of(node):
            return [name for name in ast.literal_eval(node.value) if name not in NOT_EXPORTED]
    raise SystemExit(f"{package}: __init__.py has no __all__")


def missing_in_function(node, name):
    """What a function's docstring lacks."""
    text = ast.get_docstring(node)
    if not text:
        yield name
    elif not re.search(r"\bAs ``\w+\.\w+``", text):
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        for argument in arguments:
            public = argument.arg != "self" and not argument.arg.startswith("_")
            if public and not re.search(rf"^\s+\**{argument.arg}: ", text, re.M):
                yield f"{name}: parameter {argument.arg}"


def missing_in_class(node, known):
    """What a class and its bases lack."""
    text = ast.get_docstring(node) or ""
    if not text:
        yield node.name
    for member in node.body:
        if isinstance(member, FUNCTIONS):
            if not member.name.startswith("_") or member.name == "__init__":
                yield from missing_in_function(member, f"{node.name}.{member.name}")
            continue
        for name in names_of(member):
            described = member.commented or re.search(rf"^\s+{name}: ", text, re.M)
            if not name.startswith("_") and not described:
                yield f"{node.name}.{name}"
    for base in node.bases:
        parent = known.get(getattr(base, "id", ""))
        if isinstance(parent, ast.ClassDef):
            yield from missing_in_class(parent, known)


def main(package, index):
    """Prints what is undocumented."""
    package, pages = pathlib.Path(package), pathlib.Path(index).read_text()
    known, missing = definitions(package), []
    for name in exported(package):
        if not re.search(rf":: taskpipe\.{name}$", pages, re.M):
            missing.append(f"{name}: not in {index}")
        node = known.get(name)
        if isinstance(node, ast.ClassDef):
            missing += missing_in_class(node, known)
        elif isinstance(node, FUNCTIONS):
            missing += missing_in_function(node, name)
        elif node is None:
            missing.append(f"{name}: no definition found")
        elif not node.commented:
            missing.append(name)
    for entry in sorted(set(missing)):
        print(f"undocumented: {entry}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
