// The keyboard's place in the list, and selecting with the pointer.

import { useEffect, useRef, useState } from 'preact/hooks';
import { selected } from '../../store/actions';
import { shownKeys } from '../../store/apps';
import type { VirtualHandle } from '../../widgets/virtual';

interface CursorApi {
    cursor: string | undefined;
    // The same, when it is asked for.
    current: () => string | undefined;
    move: (by: number, select: boolean) => void;
    go: (to: number, select: boolean) => void;
}

// The keyboard's place in the list. It is a key, so that it stays with its row when the order changes.
export function useCursor(keys: readonly string[], list: { current: VirtualHandle | null }): CursorApi {
    const [cursor, setCursor] = useState<string>();
    const focusNext = useRef(false);
    // The place now: keys may come faster than the page is drawn.
    const at = useRef<string | undefined>(undefined);
    at.current = cursor;
    const here = () => {
        const i = at.current === undefined ? -1 : shownKeys.peek().indexOf(at.current);
        return i < 0 ? undefined : i;
    };
    const go = (to: number, select: boolean) => {
        const now = shownKeys.peek();
        if (now.length === 0) return;
        const i = Math.max(0, Math.min(now.length - 1, to));
        if (select) selected.value = new Set([...selected.peek(), ...(at.current ? [at.current] : []), now[i]!]);
        focusNext.current = true;
        at.current = now[i];
        setCursor(now[i]);
        list.current?.reveal(i);
    };
    // The first move shows where the place is.
    const move = (by: number, select: boolean) => go(here() === undefined ? 0 : here()! + by, select);
    useEffect(() => {
        // Elements are taken over by other rows when the list moves; the focus stays with its row.
        const strayed = document.activeElement?.matches('.apps-list a.name:not([data-cursor])');
        if (!focusNext.current && !strayed) return;
        const el = document.querySelector<HTMLElement>('[data-cursor]');
        if (el) {
            focusNext.current = false;
            el.focus({ preventScroll: true });
        }
    });
    return { cursor: cursor !== undefined && keys.includes(cursor) ? cursor : keys[0], current: () => at.current ?? shownKeys.peek()[0], move, go };
}

// One function for the life of the page: rows are drawn again only when they change themselves.
export function useSelect(): (id: string, e: MouseEvent) => void {
    const anchor = useRef<string | undefined>(undefined);
    const select = useRef((id: string, e: MouseEvent) => {
        const keys = shownKeys.peek();
        const next = new Set(selected.peek());
        const from = anchor.current === undefined ? -1 : keys.indexOf(anchor.current);
        const to = keys.indexOf(id);
        if (e.shiftKey && from >= 0 && to >= 0) {
            for (let i = Math.min(from, to); i <= Math.max(from, to); i++) next.add(keys[i]!);
        } else if (!next.delete(id)) {
            next.add(id);
        }
        anchor.current = id;
        selected.value = next;
    });
    return select.current;
}
