#!/usr/bin/env python3
"""Runs the integration tests.   usage: run.py [-k PATTERN] [FILE...]

On an in-memory cluster (build/bin/kubesim), or, with KUBECONFIG, on that cluster, in namespaces of its own.
CARGOCD_KEEP=1 keeps logs; CARGOCD_LOGLEVEL; CARGOCD_BIN is where the programs are."""
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


class Result(unittest.TextTestResult):
    passed = 0

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.stream.writeln("  ok      %s (%.1f s)" % (test.id(), time.monotonic() - self.began))

    def addError(self, test, err):
        super().addError(test, err)
        self.stream.writeln("  ERROR   %s" % test.id())

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.stream.writeln("  FAILED  %s" % test.id())

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln("  skip    %s: %s" % (test.id(), reason))


def main():
    args, pattern = sys.argv[1:], None
    if "-k" in args:
        at = args.index("-k")
        pattern = args[at + 1]
        del args[at:at + 2]
    files = args or sorted(f for f in os.listdir(HERE) if f.startswith("test_") and f.endswith(".py"))
    sys.path[1:1] = sorted({os.path.dirname(os.path.abspath(f)) for f in args if os.path.exists(f)})
    loader = unittest.TestLoader()
    if pattern:
        loader.testNamePatterns = ["*%s*" % pattern]
    suite = unittest.TestSuite(loader.loadTestsFromName(os.path.basename(f)[:-3]) for f in files)
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=0, resultclass=Result)
    result = runner.run(suite)
    failed = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.passed, failed))
    return 1 if failed or not result.wasSuccessful() else 0


if __name__ == "__main__":
    sys.exit(main())
