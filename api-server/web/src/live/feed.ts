// A table kept full by a live subscription while anybody looks at it. After the last release the subscription lingers,
// so that going back and forth costs nothing; the rows and the cursor stay longer, so that a page seen before paints at
// once and then corrects itself (specification V11).

import { Table } from '../store/table';
import type { Since } from './protocol';
import { defer, live } from './browser';
import type { Subscription } from './contract';

const LINGER = 15_000;

export class Feed<T extends object> {
    readonly table: Table<T>;
    private users = 0;
    private sub: Subscription | undefined;
    private since: Since | undefined;
    private timer: number | undefined;

    constructor(
        private readonly topic: string,
        private readonly args: Record<string, unknown>,
        defaults: T,
    ) {
        this.table = new Table<T>(defaults, defer);
    }

    // Returns how to release it.
    acquire(): () => void {
        this.users++;
        clearTimeout(this.timer);
        this.sub ??= live.subscribe({ topic: this.topic, args: this.args, sink: this.table, since: this.since });
        let released = false;
        return () => {
            if (released) return;
            released = true;
            if (--this.users === 0) this.timer = window.setTimeout(() => this.stop(), LINGER);
        };
    }

    get used(): boolean {
        return this.users > 0;
    }

    stop(): void {
        clearTimeout(this.timer);
        this.since = this.sub?.cursor();
        this.sub?.stop();
        this.sub = undefined;
    }

    // Subscribes anew, for "Retry" after an error.
    retry(): void {
        if (!this.sub) return;
        this.sub.stop();
        this.since = undefined;
        this.sub = live.subscribe({ topic: this.topic, args: this.args, sink: this.table });
    }
}
