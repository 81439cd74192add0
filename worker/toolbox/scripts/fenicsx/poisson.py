"""Poisson's equation on the unit square, checked against a manufactured solution.

    -div(grad u) = f in (0, 1)^2,  u = 0 on the boundary,  u = sin(pi x) sin(pi y)

Parameters (environment, all optional):
    SIM_MESH_SIZE   cells along a side, 1 to 2048                 (32)
    SIM_DEGREE      polynomial degree of the elements, 1 or 2     (1)
    SIM_RTOL        relative tolerance of the linear solver       (1e-10)

Prints the L2 error, which falls with the power SIM_DEGREE + 1 of the cell size, and writes
solution.xdmf (with solution.h5) and result.json. Runs serially or under mpirun.
"""

import contextlib
import fcntl
import json
import logging
import math
import os
import pathlib
import sys
import time


def parameter(name, kind, default, low, high):
    """The value of SIM_<name> as `kind`; ends the program when it is not within [low, high]."""
    text = os.environ.get("SIM_" + name, "")
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        sys.exit(f"SIM_{name}={text!r}: expected {kind.__name__} between {low} and {high}")
    return value


MESH_SIZE = parameter("MESH_SIZE", int, 32, 1, 2048)
DEGREE = parameter("DEGREE", int, 1, 1, 2)
RTOL = parameter("RTOL", float, 1e-10, 1e-14, 1e-2)

# The imports take longer than a small solve, so bad parameters are refused before them.
import ufl  # noqa: E402
from dolfinx import fem, io, mesh  # noqa: E402
from dolfinx.fem import petsc  # noqa: E402
from mpi4py import MPI  # noqa: E402
from petsc4py import PETSc  # noqa: E402

COMM = MPI.COMM_WORLD
# The form compiler logs each command of the C compiler otherwise.
logging.getLogger().setLevel(logging.WARNING)


def say(text):
    if COMM.rank == 0:
        print(text, flush=True)


def progress(percent, message):
    say(f"taskpipe-progress {percent:.1f} {message}")


@contextlib.contextmanager
def form_compiler_lock():
    """Lets one run at a time compile into the cache that all runs of this user share.

    The form compiler marks a form as "being compiled" by an empty file; a run that is killed at
    that moment would leave the mark behind, and every later run would wait for it in vain. Under
    the lock no other run compiles, so whatever is unfinished is abandoned and removed. The kernel
    drops the lock of a process that dies.
    """
    if COMM.rank != 0:
        COMM.barrier()
        yield
        return
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    cache = pathlib.Path(base) / "fenics"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "taskpipe.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for source in cache.glob("*.c"):
            if not source.with_suffix(".c.cached").exists():
                source.unlink(missing_ok=True)
        COMM.barrier()
        yield


def function_space(domain, degree):
    # Named FunctionSpace up to release 0.7, functionspace since.
    make = getattr(fem, "functionspace", None) or fem.FunctionSpace
    return make(domain, ("Lagrange", degree))


def norm(form):
    return math.sqrt(COMM.allreduce(fem.assemble_scalar(form), op=MPI.SUM))


def solve(matrix, right_side, solution):
    """Conjugate gradients; reports each iteration on the scale from the first residual to RTOL."""
    solver = PETSc.KSP().create(COMM)
    solver.setOperators(matrix)
    solver.setType(PETSc.KSP.Type.CG)
    solver.getPC().setType(PETSc.PC.Type.JACOBI)
    solver.setTolerances(rtol=RTOL, atol=1e-50, max_it=20 * MESH_SIZE * DEGREE + 100)
    first = []

    def monitor(_, iteration, residual):
        first.append(residual)
        if residual <= 0.0 or first[0] <= 0.0:
            return
        share = min(1.0, max(0.0, math.log(residual / first[0]) / math.log(RTOL)))
        if iteration % 5 == 0:
            progress(45 + 45 * share, f"solve: iteration {iteration}, residual {residual:.3e}")

    solver.setMonitor(monitor)
    solver.solve(right_side, solution.vector)
    solution.x.scatter_forward()
    if solver.getConvergedReason() <= 0:
        sys.exit(f"the linear solver gave up, PETSc reason {solver.getConvergedReason()}")
    return solver.getIterationNumber(), solver.getResidualNorm()


def write_solution(domain, solution):
    """XDMF stores values at the vertices, so a solution of degree 2 is written as degree 1."""
    vertex_values = fem.Function(function_space(domain, 1))
    vertex_values.interpolate(solution)
    vertex_values.name = "u"
    with io.XDMFFile(COMM, "solution.xdmf", "w") as file:
        file.write_mesh(domain)
        file.write_function(vertex_values)


def main():
    start = time.monotonic()
    progress(5, f"mesh: {MESH_SIZE} x {MESH_SIZE}")
    domain = mesh.create_unit_square(COMM, MESH_SIZE, MESH_SIZE)
    cells = domain.topology.index_map(2).size_global

    progress(15, "forms: compile")
    x = ufl.SpatialCoordinate(domain)
    exact = ufl.sin(ufl.pi * x[0]) * ufl.sin(ufl.pi * x[1])
    with form_compiler_lock():
        space = function_space(domain, DEGREE)
        if DEGREE != 1:
            function_space(domain, 1)
        solution = fem.Function(space)
        u, v = ufl.TrialFunction(space), ufl.TestFunction(space)
        accurate = ufl.dx(metadata={"quadrature_degree": 2 * DEGREE + 4})
        bilinear = fem.form(ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx)
        linear = fem.form(2 * ufl.pi**2 * exact * v * accurate)
        difference = solution - exact
        l2_form = fem.form(difference**2 * accurate)
        h1_form = fem.form(ufl.inner(ufl.grad(difference), ufl.grad(difference)) * accurate)
    dofs = space.dofmap.index_map.size_global
    say(f"cells = {cells}")
    say(f"dofs = {dofs}")

    progress(30, "boundary")
    domain.topology.create_connectivity(1, 2)
    facets = mesh.exterior_facet_indices(domain.topology)
    boundary_dofs = fem.locate_dofs_topological(space, 1, facets)
    conditions = [fem.dirichletbc(PETSc.ScalarType(0), boundary_dofs, space)]

    progress(35, "assemble: matrix")
    matrix = petsc.assemble_matrix(bilinear, bcs=conditions)
    matrix.assemble()
    progress(40, "assemble: right side")
    right_side = petsc.assemble_vector(linear)
    petsc.apply_lifting(right_side, [bilinear], bcs=[conditions])
    right_side.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
    petsc.set_bc(right_side, conditions)

    iterations, residual = solve(matrix, right_side, solution)
    say(f"iterations = {iterations}")

    progress(90, "error norms")
    l2_error, h1_error = norm(l2_form), norm(h1_form)
    say(f"L2 error = {l2_error:.6e}")
    say(f"H1 error = {h1_error:.6e}")

    progress(95, "write solution.xdmf")
    write_solution(domain, solution)
    if COMM.rank == 0:
        result = {
            "mesh_size": MESH_SIZE,
            "degree": DEGREE,
            "cells": cells,
            "dofs": dofs,
            "iterations": iterations,
            "residual": residual,
            "l2_error": l2_error,
            "h1_error": h1_error,
            "processes": COMM.size,
            "seconds": round(time.monotonic() - start, 3),
        }
        pathlib.Path("result.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    progress(100, "done")


main()
