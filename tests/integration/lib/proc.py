"""Child processes of the tests: started with a log file, ended with everything they started."""
import os
import signal
import subprocess
import time


class Process:
    def __init__(self, name, argv, log_dir, env=None, cwd=None):
        self.name, self.argv, self.cwd = name, argv, cwd
        self.env = dict(os.environ, **(env or {}))
        self.log_path = os.path.join(log_dir, name + ".log")
        self.child = None
        self.starts = 0

    def start(self):
        assert not self.running(), self.name + " runs already"
        log = open(self.log_path, "ab")
        self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.cwd,
                                      start_new_session=True)
        log.close()
        self.starts += 1
        return self

    def running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        if self.running():
            os.killpg(self.child.pid, number)

    def kill(self):
        """SIGKILL, as a crash."""
        self.signal(signal.SIGKILL)
        if self.child:
            self.child.wait()

    def stop(self, grace=10):
        """SIGTERM; returns the exit status."""
        self.signal(signal.SIGTERM)
        if self.child is None:
            return 0
        try:
            return self.child.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def memory_kib(self):
        """Proportional set size."""
        with open("/proc/%d/smaps_rollup" % self.child.pid, encoding="ascii") as f:
            for line in f:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
        return 0

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.child.pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(what, condition, timeout=30, interval=0.05, alive=()):
    """Polls until condition() is true (its value is returned). A process of `alive` that ends fails at once."""
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (ConnectionError, OSError) as e:
            last = e
        for p in alive:
            if not p.running():
                raise AssertionError("%s ended (exit status %s) while waiting for %s:\n%s" % (
                    p.name, p.child and p.child.returncode, what, p.log()[-3000:]))
        if time.monotonic() > deadline:
            raise AssertionError("timed out waiting for %s (last: %r)" % (what, last))
        time.sleep(interval)
