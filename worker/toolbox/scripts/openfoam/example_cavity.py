"""Lid-driven cavity: the flow in a unit square whose upper side slides at speed 1.

Parameters (environment, all optional):
    SIM_N           cells along a side, 4 to 512                        (32)
    SIM_END_TIME    simulated time, in units of side / lid speed        (20)
    SIM_REYNOLDS    Reynolds number, 1 to 1000                          (100)
    SIM_COURANT     largest Courant number, sets the time step          (0.5)

Writes the case, runs blockMesh and icoFoam in it (decomposed when TASKPIPE_CPUS > 1), and prints
the least horizontal velocity on the vertical centre line, for which there are reference values:
Ghia, Ghia and Shin (1982) give -0.21090 at y = 0.4531 for Reynolds number 100. centreline.csv has
the whole profile and result.json the key numbers.
"""

import json
import os
import pathlib
import re
import subprocess
import sys


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


N = parameter("N", int, 32, 4, 512)
END_TIME = parameter("END_TIME", float, 20.0, 1e-3, 1e4)
REYNOLDS = parameter("REYNOLDS", float, 100.0, 1.0, 1000.0)
COURANT = parameter("COURANT", float, 0.5, 1e-3, 0.9)
PROCESSES = min(int(os.environ.get("TASKPIPE_CPUS", "1") or 1), N)

STEPS = max(1, round(END_TIME * N / COURANT))
WRITES = 4  # time folders, the last one at END_TIME


def dictionary(folder, name, body, kind="dictionary"):
    """Writes one file of the case, with the header that OpenFOAM asks for."""
    path = pathlib.Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    header = f"FoamFile {{ version 2.0; format ascii; class {kind}; object {name}; }}\n"
    path.write_text(header + body.strip() + "\n", "ascii")


def write_mesh():
    dictionary("system", "blockMeshDict", f"""
scale 1;
vertices
(
    (0 0 0) (1 0 0) (1 1 0) (0 1 0)
    (0 0 0.1) (1 0 0.1) (1 1 0.1) (0 1 0.1)
);
blocks ( hex (0 1 2 3 4 5 6 7) ({N} {N} 1) simpleGrading (1 1 1) );
boundary
(
    lid    {{ type wall;  faces ((3 7 6 2)); }}
    walls  {{ type wall;  faces ((0 4 7 3) (2 6 5 1) (1 5 4 0)); }}
    sides  {{ type empty; faces ((0 3 2 1) (4 5 6 7)); }}
);
""")


def write_numerics():
    dictionary("system", "controlDict", f"""
application      icoFoam;
startFrom        startTime;
startTime        0;
stopAt           endTime;
endTime          {END_TIME!r};
deltaT           {END_TIME / STEPS!r};
writeControl     runTime;
writeInterval    {END_TIME / WRITES!r};
purgeWrite       0;
writeFormat      ascii;
writePrecision   10;
timePrecision    10;
runTimeModifiable false;
""")
    dictionary("system", "fvSchemes", """
ddtSchemes           { default Euler; }
gradSchemes          { default Gauss linear; }
divSchemes           { default none; div(phi,U) Gauss linear; }
laplacianSchemes     { default Gauss linear orthogonal; }
interpolationSchemes { default linear; }
snGradSchemes        { default orthogonal; }
""")
    dictionary("system", "fvSolution", """
solvers
{
    p      { solver PCG; preconditioner DIC; tolerance 1e-7; relTol 0.05; }
    pFinal { $p; relTol 0; }
    U      { solver smoothSolver; smoother symGaussSeidel; tolerance 1e-7; relTol 0; }
}
PISO { nCorrectors 2; nNonOrthogonalCorrectors 0; pRefCell 0; pRefValue 0; }
""")
    dictionary("system", "decomposeParDict", f"""
numberOfSubdomains {PROCESSES};
method             simple;
coeffs             {{ n (1 {PROCESSES} 1); }}
""")
    dictionary("constant", "transportProperties", f"nu [0 2 -1 0 0 0 0] {1 / REYNOLDS!r};")


def write_fields():
    dictionary("0", "U", """
dimensions    [0 1 -1 0 0 0 0];
internalField uniform (0 0 0);
boundaryField
{
    lid   { type fixedValue; value uniform (1 0 0); }
    walls { type noSlip; }
    sides { type empty; }
}
""", "volVectorField")
    dictionary("0", "p", """
dimensions    [0 2 -2 0 0 0 0];
internalField uniform 0;
boundaryField
{
    lid   { type zeroGradient; }
    walls { type zeroGradient; }
    sides { type empty; }
}
""", "volScalarField")


def run(*command):
    """Runs a program of OpenFOAM; its output is ours. Its failure is ours as well."""
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        sys.exit(f"{' '.join(command)} failed with status {status}")


def solve():
    run("blockMesh")
    if PROCESSES == 1:
        run("icoFoam")
        return
    run("decomposePar")
    run("mpirun", "-np", str(PROCESSES), "icoFoam", "-parallel")
    run("reconstructPar", "-latestTime")


def centre_line():
    """(y, u) on x = 1/2, from the last time folder. blockMesh numbers the cells row by row."""
    folders = [path for path in pathlib.Path().iterdir() if re.fullmatch(r"[0-9.e+-]+", path.name)]
    last = max(folders, key=lambda path: float(path.name))
    text = (last / "U").read_text("ascii")
    values = text[text.index("internalField"):text.index("boundaryField")]
    u = [float(x) for x in re.findall(r"^\((\S+) \S+ \S+\)$", values, re.MULTILINE)]
    if len(u) != N * N:
        sys.exit(f"{last}/U: expected {N * N} cells, found {len(u)}")
    left, right = (N - 1) // 2, N // 2  # the same column when N is odd
    return [((j + 0.5) / N, 0.5 * (u[j * N + left] + u[j * N + right])) for j in range(N)]


def main():
    write_mesh()
    write_numerics()
    write_fields()
    solve()
    profile = centre_line()
    lines = ["y,u"] + [f"{y:.6f},{u:.8f}" for y, u in profile]
    pathlib.Path("centreline.csv").write_text("\n".join(lines) + "\n", "ascii")
    y_min, u_min = min(profile, key=lambda point: point[1])
    print(f"least centre line velocity = {u_min:.6f} at y = {y_min:.4f}")
    result = {
        "n": N,
        "reynolds": REYNOLDS,
        "end_time": END_TIME,
        "steps": STEPS,
        "processes": PROCESSES,
        "u_min": u_min,
        "y_min": y_min,
    }
    pathlib.Path("result.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")


main()
