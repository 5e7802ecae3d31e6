"""Measures whole processes side by side; scripts/bench builds what it runs, and calls it.

Every engine gets private copies of what it writes to, flushed before the clock starts. Engines take turns, and the turns
rotate; the first run of each is a warm-up and does not count. Standard library only; Linux only (/proc).
"""

import argparse, os, pathlib, shutil, statistics, subprocess, sys, time

MB = 1_000_000
LIMIT = 30  # seconds that one engine may take for one operation, after which it runs less often
BEGIN, END = "<!-- written by scripts/bench -->", "<!-- end of what scripts/bench writes -->"

HIVEX_PYTHON = r"""
import sys, hivex
hive = hivex.Hivex(sys.argv[1], write=True)
node = hive.root()
for part in sys.argv[2].split("\\"):
    node = hive.node_get_child(node, part)
hive.node_set_value(node, {"key": "Bench", "t": 4, "value": b"\1\0\0\0"})
hive.commit(None)
"""
YARP = r"""
import sys
from yarp import Registry
with open(sys.argv[1], "rb") as p, open(sys.argv[1] + ".LOG1", "rb") as a, open(sys.argv[1] + ".LOG2", "rb") as b:
    hive = Registry.RegistryHive(p)
    assert hive.recover_auto(None, a, b).recovered
    hive.save_recovered_hive(sys.argv[1] + ".recovered")
"""


class Engine:
    """One engine doing one thing: its command, and what it has come to."""

    def __init__(self, name, command, ok=(0,), env=None, one_core=False):
        self.name, self.command, self.ok, self.env = name, [str(word) for word in command], ok, env
        self.one_core = one_core
        self.times, self.work = [], []
        self.peak, self.written, self.output, self.wanted = 0, 0, b"", 1

    def run(self):
        """Runs once. Answers the seconds."""
        start = time.perf_counter()
        child = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, **self.surroundings())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.perf_counter() - start
        # Whatever it wrote, by any call, to any file; it is a zombie now, and still answers.
        counters = dict(line.split(": ") for line in pathlib.Path(f"/proc/{child.pid}/io").read_text().splitlines())
        self.written = int(counters["wchar"])
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.work.append(usage.ru_utime + usage.ru_stime)
        self.judge(child.returncode)
        return seconds

    def warm_up(self, work):
        """The run that does not count: keeps the start of the output, and the peak memory. A child of this process would start
        with this one's peak, hence time(1), which is small."""
        report, start = work / "peak", time.perf_counter()
        command = ["/usr/bin/time", "-q", "-f", "%M", "-o", report, *self.command]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, **self.surroundings())
        self.output = child.stdout.read(4096)
        while child.stdout.read(1 << 20):
            pass
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.judge(child.returncode)
        self.peak = int(report.read_text()) * 1024
        seconds = time.perf_counter() - start
        if seconds > LIMIT:
            # Too slow to be run again: this has to do.
            self.times, self.work = [seconds], [usage.ru_utime + usage.ru_stime]
        return seconds

    def surroundings(self):
        environment = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", **(self.env or {}))
        core = min(os.sched_getaffinity(0))
        pin = (lambda: os.sched_setaffinity(0, {core})) if self.one_core else None
        return {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "preexec_fn": pin}

    def judge(self, status):
        if status not in self.ok:
            raise SystemExit(f"{self.name} ended with {status}: {' '.join(self.command)}")


class Bench:
    def __init__(self, options):
        self.target, self.runs, self.only = pathlib.Path(options.target), options.runs, options.only
        self.work = self.target / "bench"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.coldmend = self.target / "release/coldmend"
        self.rivals = self.target / "rivals/release/rivals"
        self.examples = self.target / "release/examples"
        self.tables, self.skipped = [], []

    def wants(self, title):
        return not self.only or self.only.lower() in title.lower()

    def skip(self, what):
        print(f"skipped: {what}", flush=True)
        self.skipped.append(what)

    def fresh(self, sources):
        """A private copy of each file, on the disk already, under the names of the first: hive, hive.LOG1, …"""
        for source, name in sources:
            target = self.work / name
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
            with open(target, "rb") as file:
                os.fsync(file.fileno())
        if sources:
            os.sync()

    def compare(self, title, engines, size, sources=(), check=None, written=False):
        """Runs the engines in turns and adds a table; the first one is ours."""
        if not self.wants(title):
            return
        print(f"\n{title}", flush=True)
        for turn in range(self.runs + 1):
            for place in range(len(engines)):
                engine = engines[(place + turn) % len(engines)]
                if turn > engine.wanted:
                    continue
                self.fresh(sources)
                if turn == 0:
                    seconds = engine.warm_up(self.work)
                    engine.wanted = min(self.runs, int(LIMIT / seconds))
                    if check:
                        check(engine)
                else:
                    engine.times.append(engine.run())
        head = ["", "minimum", "median", "maximum", "minimum : ours", "median : ours", "least CPU", "peak MB", "peak : file"] + ["KB written"] * written + ["runs"]
        rows = []
        for engine in engines:
            times = [f"{1000 * of(engine.times):.1f}" for of in (min, statistics.median, max)]
            ratios = [f"{of(engine.times) / of(engines[0].times):.2f}" for of in (min, statistics.median)]
            row = [engine.name, *times, *ratios, f"{1000 * min(engine.work):.1f}", f"{engine.peak / MB:.1f}", f"{engine.peak / size:.2f}"]
            rows.append(row + [f"{engine.written / 1000:.0f}" if engine.written else "–"] * written + [str(len(engine.times))])
        table = ["| " + " | ".join(row) + " |" for row in [head, ["---"] + ["---:"] * (len(head) - 1), *rows]]
        print("\n".join(table), flush=True)
        self.tables.append((title, "\n".join(table)))

    def get(self, key):
        found = subprocess.run([self.coldmend, "hive", "get", self.work / "hive", key, "Bench"], capture_output=True, text=True)
        return found.stdout.strip()

    def set(self, label, source, key):
        hive, script, reg = self.work / "hive", self.work / "set.hivexsh", self.work / "set.reg"
        script.write_text(f"cd \\{key}\nsetval 1\nBench\ndword:1\ncommit\n")
        prefix = "HKEY_LOCAL_MACHINE\\X"
        reg.write_text(f'Windows Registry Editor Version 5.00\r\n\r\n[{prefix}\\{key}]\r\n"Bench"=dword:00000001\r\n')
        engines = [
            Engine("**coldmend hive set** (checks, logs, flushes)", [self.coldmend, "hive", "set", hive, key, "Bench", 1, "--type", "dword"]),
            Engine("hivexsh", ["hivexsh", "-w", hive, "-f", script]),
            Engine("hivexregedit --merge", ["hivexregedit", "--merge", hive, "--prefix", prefix, reg]),
            # 2 is its word for "written".
            Engine("chntpw's reged -I", ["reged", "-C", "-I", hive, prefix, reg], ok=(2,)),
        ]
        if subprocess.run(["/usr/bin/python3", "-c", "import hivex"], capture_output=True).returncode == 0:
            engines.append(Engine("python-hivex", ["/usr/bin/python3", "-c", HIVEX_PYTHON, hive, key]))
        elif not any("python-hivex" in line for line in self.skipped):
            self.skip("python-hivex is not installed (Debian: python3-hivex)")

        def check(engine):
            if self.get(key).split()[:1] != ["1"]:
                raise SystemExit(f"{engine.name} did not set the value")

        empty = self.work / "empty"
        empty.touch()
        sources = [(source, "hive"), (empty, "hive.LOG1"), (empty, "hive.LOG2")]
        size = source.stat().st_size
        self.compare(f"Set one DWORD and commit: {label}", engines, size, sources, check, written=True)

    def check(self, label, source):
        engines = [
            Engine("**coldmend hive check**", [self.coldmend, "hive", "check", source]),
            Engine("**coldmend-hives** alone", [self.rivals, "coldmend", "check", source]),
            Engine("regf 0.2", [self.rivals, "regf", "walk", source]),
        ]
        self.compare(f"Check: {label}", engines, source.stat().st_size)

    def export(self, label, source):
        engines = [
            Engine("**coldmend hive export**", [self.coldmend, "hive", "export", source]),
            Engine("hivexml", ["hivexml", source]),
            Engine("hivexregedit --export", ["hivexregedit", "--export", source, "\\"]),
            Engine("regfexport", ["regfexport", source]),
            Engine("reglookup", ["reglookup", source]),
        ]
        self.compare(f"Export: {label}", engines, source.stat().st_size)

    def walk(self, label, source):
        names = [("coldmend", "**coldmend-hives**"), ("nt-hive", "nt-hive 0.3"), ("regf", "regf 0.2"), ("notatin", "notatin 1.0.1")]
        engines = [Engine(name, [self.rivals, word, "walk", source]) for word, name in names]

        def check(engine):
            if engine.output != engines[0].output:
                raise SystemExit(f"{engine.name} sees {engine.output}, ours {engines[0].output}")

        self.compare(f"Walk over every key, value and byte of data: {label}", engines, source.stat().st_size, check=check)

    def recover(self, label, source):
        names = ["", ".LOG1", ".LOG2"]
        files = [pathlib.Path(f"{source}{name}") for name in names]
        hive = self.work / "hive"
        engines = [
            Engine("**coldmend hive recover** (checked, written, flushed)", [self.coldmend, "hive", "recover", hive]),
            Engine("**coldmend-hives** alone (checked, written, flushed)", [self.rivals, "coldmend", "recover", hive]),
            Engine("notatin 1.0.1 (in memory only)", [self.rivals, "notatin", "recover", hive, f"{hive}.LOG1", f"{hive}.LOG2"]),
        ]
        if os.environ.get("YARP"):
            # The best of what it can do: its own copy of the result is written, not flushed.
            engines.append(Engine("yarp", ["python3", "-c", YARP, hive], env={"PYTHONPATH": os.environ["YARP"]}))
        elif not any("yarp" in line for line in self.skipped):
            self.skip("yarp: YARP names no checkout of it")
        size = sum(file.stat().st_size for file in files)
        self.compare(f"Recover from the logs: {label}", engines, size, [(f, "hive" + n) for f, n in zip(files, names)], written=True)

    def diagnose(self, small):
        """A whole diagnosis, beside reading once the two hives that it begins with. Nobody else looks at a folder with a Windows in it."""
        title = f"Diagnose a whole volume on one core: {'a small one' if small else '300,000 files, SOFTWARE of 100 MB'}"
        if not self.wants(title):
            return
        volume = self.work / "volume"
        subprocess.run([self.examples / "large_volume", volume, *["--small"] * small], check=True, capture_output=True)
        # Folders that changed a moment ago are not what a volume that lies still has.
        time.sleep(6)
        hives = [volume / "Windows/System32/config" / name for name in ("SYSTEM", "SOFTWARE")]
        engines = [
            Engine("**coldmend diagnose**", [self.coldmend, "diagnose", volume], one_core=True),
            Engine("cat SYSTEM SOFTWARE", ["cat", *hives], one_core=True),
            Engine("sha256sum SYSTEM SOFTWARE", ["sha256sum", *hives], one_core=True),
        ]
        self.compare(title, engines, hives[1].stat().st_size)

    def inside(self, label, source):
        """What a step costs while the hive is open: hives/examples/speed, its fastest of five."""
        title = f"Inside the engine: {label}"
        if not self.wants(title):
            return
        lines = subprocess.run([self.examples / "speed", source], capture_output=True, text=True, check=True).stdout.splitlines()
        self.tables.append((title, "\n".join(["```text", lines[-1], "```"])))
        print(f"\n{title}\n{lines[-1]}", flush=True)


def flush(work):
    """What this disk takes to make 4 KB durable, in ms: each `set` of ours waits for several of them, the others for none."""
    times = []
    with open(work / "flush", "wb", buffering=0) as file:
        for _ in range(21):
            file.write(b"x" * 4096)
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def machine(flush_time, load):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.split()[1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({cpu}), rustc {rustc}, commit {commit}. Times in ms, warm cache. "
        f"One flush of 4 KB takes {flush_time:.1f} ms on this disk; load average {load:.1f} when it began."
    )


def main():
    options = argparse.ArgumentParser(prog="scripts/bench", description="Our engine and the others, side by side.")
    options.add_argument("target")
    options.add_argument("--runs", type=int, default=5, help="runs of each after the warm-up (default 5)")
    options.add_argument("--short", action="store_true", help="small hives, one run, nothing written: shows that it works")
    options.add_argument("--only", metavar="WORD", help="only tables with this in their title")
    options = options.parse_args()
    if options.short:
        options.runs = 1
    load = os.getloadavg()[0]
    bench = Bench(options)
    described = machine(flush(bench.work), load)
    print(described, flush=True)

    hives = []
    # What is asked for, so that the files become about as large as their names say, and the log for the smaller one.
    for name, megabytes in [("2 MB", 2)] if options.short else [("99 MB", 91), ("247 MB", 226)]:
        path = bench.work / f"large-{megabytes}"
        subprocess.run([bench.examples / "large_hive", path, str(megabytes)], check=True, capture_output=True)
        hives.append((f"generated, {name}", path, "Group0000"))
    dirty = bench.work / "dirty"
    subprocess.run([bench.examples / "dirty_hive", hives[0][1], dirty, "1" if options.short else "66"], check=True, capture_output=True)
    dirties = [(f"{hives[0][0]}, and a log of {dirty.with_suffix('.LOG1').stat().st_size / MB:.0f} MB", dirty)]
    corpus = os.environ.get("COLDMEND_CORPUS")
    if corpus:
        real = pathlib.Path(corpus) / "hives"
        hives.insert(0, ("a real SYSTEM, 11.8 MB", real / "mkorman90+regipy/SYSTEM", "ControlSet001\\services"))
        user = real / "AndrewRathbun+DFIRArtifactMuseum/Win10__RathbunVM__UsrClass.dat"
        dirties.insert(0, ("a real UsrClass.dat of Windows 10, 3.4 MB, and logs of 1.5 MB", user))
    else:
        bench.skip("real hives: COLDMEND_CORPUS is not set")

    bench.diagnose(options.short)
    for label, source, key in hives:
        bench.set(label, source, key)
    for label, source, _ in hives:
        bench.check(label, source)
    for label, source, _ in hives:
        bench.export(label, source)
    for label, source, _ in hives:
        bench.walk(label, source)
    for label, source in dirties:
        bench.recover(label, source)
    for label, source, _ in hives:
        bench.inside(label, source)
    shutil.rmtree(bench.work)

    if not options.short:
        write(bench, described, bool(options.only))


def write(bench, described, part):
    """Puts the tables into the page; a part of them in place of those with the same titles, with a line of its own."""
    page = pathlib.Path("docs/benchmarks.md")
    before, rest = page.read_text().split(BEGIN)
    old, after = rest.split(END)
    head = "\n\n".join([described, *(f"Skipped: {line}." for line in bench.skipped)])
    tables = dict(bench.tables)
    if part:
        old_head, *old_tables = old.strip().split("\n\n### ")
        head, tables = old_head or described, dict(table.split("\n\n", 1) for table in old_tables)
        tables.update((title, f"{described}\n\n{table}") for title, table in bench.tables)
    parts = [head, *(f"### {title}\n\n{table}" for title, table in tables.items())]
    page.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after)
    print(f"\nwritten to {page}", file=sys.stderr)


main()
