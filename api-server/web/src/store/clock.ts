// The page's clocks: ages tick every 10 s, running operations every second. They run only while something reads them.

import { signal, type ReadonlySignal } from '@preact/signals';

function ticking(ms: number): ReadonlySignal<number> {
    let timer: number | undefined;
    const s = signal(Date.now(), {
        watched: () => {
            s.value = Date.now();
            timer = window.setInterval(() => {
                if (!document.hidden) s.value = Date.now();
            }, ms);
        },
        unwatched: () => clearInterval(timer),
    });
    return s;
}

export const slowClock = ticking(10_000);
export const fastClock = ticking(1000);
