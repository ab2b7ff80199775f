// One store transaction per animation frame, and never more than 12 a second: everything that arrives between two
// renders is merged (specification W5, P10). A hidden page gets no frames, so a timer stands in.

import { batch } from '@preact/signals';

const MIN_GAP = 85;
const HIDDEN_GAP = 250;

let queue: (() => void)[] = [];
let scheduled = false;
let lastFlush = -Infinity;
export let flushes = 0;

export function enqueue(work: () => void): void {
    queue.push(work);
    if (scheduled) return;
    scheduled = true;
    const wait = lastFlush + MIN_GAP - performance.now();
    if (document.hidden) setTimeout(flush, HIDDEN_GAP);
    else if (wait > 4) setTimeout(() => (document.hidden ? flush() : requestAnimationFrame(flush)), wait);
    else requestAnimationFrame(flush);
}

// Applies what waits at once: before a page is left or drawn anew from the store.
export function flush(): void {
    scheduled = false;
    if (queue.length === 0) return;
    const work = queue;
    queue = [];
    lastFlush = performance.now();
    flushes++;
    batch(() => {
        for (const w of work) w();
    });
}
