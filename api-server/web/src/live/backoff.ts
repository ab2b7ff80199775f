// Full-jitter backoff with a hard ceiling on the rate of attempts (specification W7).

const BASE_MS = 250;
const CAP_MS = 30_000;
const MAX_PER_SECOND = 2;

export class Backoff {
    private failures = 0;
    private readonly attempts: number[] = [];

    constructor(
        private readonly random: () => number,
        private readonly now: () => number,
    ) {}

    // Milliseconds to wait before the next attempt; counts one failure.
    next(atLeast = 0): number {
        const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(this.failures, 16));
        this.failures++;
        return Math.max(atLeast, Math.floor(this.random() * ceiling));
    }

    // Milliseconds that an attempt must still be held back so that there are never more than two in a second.
    holdBack(): number {
        const limit = this.attempts[this.attempts.length - MAX_PER_SECOND];
        return limit === undefined ? 0 : Math.max(0, limit + 1000 - this.now());
    }

    attempt(): void {
        this.attempts.push(this.now());
        if (this.attempts.length > MAX_PER_SECOND) this.attempts.shift();
    }

    reset(): void {
        this.failures = 0;
    }
}
