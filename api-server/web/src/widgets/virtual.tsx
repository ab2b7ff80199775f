// A list that draws only the rows in view. Rows have one height; `columns` rows may stand side by side (tiles).

import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { anchored, scrollToRow, visibleRange } from '../lib/virtual';
import { savedScroll, saveScroll } from '../routes/router';

export interface VirtualHandle {
    reveal(index: number): void;
}

interface Props {
    keys: readonly string[];
    rowHeight: number;
    // Least width of an item when several stand side by side; one per row without it.
    minWidth?: number;
    gap?: number;
    padding?: number;
    overscan?: number;
    // A new value scrolls back to the top (another query).
    resetKey?: string;
    name: string;
    handle?: RefObject<VirtualHandle | null>;
    class?: string;
    inner?: Record<string, string | number | undefined>;
    outer?: Record<string, string | number | undefined>;
    header?: ComponentChildren;
    // `slot` is the element's place in the window: rows that scroll in take over the elements of those that left.
    children: (key: string, index: number, slot: number) => ComponentChildren;
    onColumns?: (n: number) => void;
}

export function VirtualList(p: Props) {
    const box = useRef<HTMLDivElement>(null);
    const [view, setView] = useState({ top: 0, height: 0, width: 0 });
    const gap = p.gap ?? 0;
    const pad = p.padding ?? 0;
    const columns = p.minWidth ? Math.max(1, Math.floor((view.width - 2 * pad + gap) / (p.minWidth + gap))) : 1;
    const row = p.rowHeight + gap;
    const rows = Math.ceil(p.keys.length / columns);
    const before = useRef(p.keys);
    const resetKey = useRef(p.resetKey);

    useLayoutEffect(() => {
        const el = box.current!;
        const measure = () => setView({ top: el.scrollTop, height: el.clientHeight, width: el.clientWidth });
        const saved = savedScroll(p.name);
        measure();
        if (saved > 0) requestAnimationFrame(() => (el.scrollTop = saved));
        const watch = new ResizeObserver(measure);
        watch.observe(el);
        return () => watch.disconnect();
    }, []);

    useEffect(() => p.onColumns?.(columns), [columns]);

    useLayoutEffect(() => {
        const el = box.current!;
        // The offset that was drawn, not the element's: asking that would lay the page out once more.
        if (view.top > 0 && resetKey.current !== p.resetKey) el.scrollTop = 0;
        else if (view.top > 0 && columns === 1) {
            const to = anchored(before.current, p.keys, view.top, row);
            if (to !== view.top) el.scrollTop = to;
        }
        resetKey.current = p.resetKey;
        before.current = p.keys;
    }, [p.keys, p.resetKey]);

    if (p.handle) {
        p.handle.current = {
            reveal: index => {
                const el = box.current;
                if (!el) return;
                el.scrollTop = scrollToRow(Math.floor(index / columns), el.scrollTop, el.clientHeight - 2 * pad, row);
                setView(v => ({ ...v, top: el.scrollTop }));
            },
        };
    }

    const onScroll = () => {
        const el = box.current;
        if (!el) return;
        saveScroll(p.name, el.scrollTop);
        setView(v => (v.top === el.scrollTop ? v : { ...v, top: el.scrollTop }));
    };
    const range = visibleRange(Math.max(0, view.top - pad), view.height, row, rows, p.overscan ?? 3);
    const shown = p.keys.slice(range.from * columns, range.to * columns);
    const slots = (Math.ceil(view.height / row) + 2 * (p.overscan ?? 3) + 1) * columns;
    return (
        <div class={`virtual ${p.class ?? ''}`} ref={box} onScroll={onScroll} tabIndex={-1} {...p.outer}>
            {p.header}
            <div
                {...p.inner}
                class="virtual-inner"
                style={{ height: `${Math.max(0, rows * row - gap) + 2 * pad}px` }}
            >
                <div
                    class="virtual-window"
                    role="presentation"
                    style={{
                        transform: `translateY(${range.from * row + pad}px)`,
                        ...(p.minWidth
                            ? { display: 'grid', gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gap: `${gap}px`, gridAutoRows: `${p.rowHeight}px`, padding: `0 ${pad}px` }
                            : {}),
                    }}
                >
                    {view.height > 0 &&
                        shown.map((k, i) => {
                            const index = range.from * columns + i;
                            return p.children(k, index, index % slots);
                        })}
                </div>
            </div>
        </div>
    );
}
