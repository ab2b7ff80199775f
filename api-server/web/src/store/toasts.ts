// Messages that come up by themselves (specification G7).

import { signal } from '@preact/signals';

export type ToastKind = 'success' | 'warning' | 'error';

export interface Toast {
    id: number;
    kind: ToastKind;
    title: string;
    message?: string;
    href?: string;
    retry?: () => void;
    count: number;
}

const LIFE: Record<ToastKind, number> = { success: 4000, warning: 8000, error: 0 };
const MAX = 4;

export const toasts = signal<Toast[]>([]);
// Read out by screen readers: state changes politely, errors at once.
export const polite = signal('');
export const assertive = signal('');

let nextId = 1;

export function toast(kind: ToastKind, title: string, more: Partial<Pick<Toast, 'message' | 'href' | 'retry'>> = {}): void {
    const now = toasts.peek();
    const twin = now.find(t => t.kind === kind && t.title === title && t.message === more.message);
    if (twin) {
        toasts.value = now.map(t => (t === twin ? { ...t, count: t.count + 1 } : t));
        return;
    }
    const t: Toast = { id: nextId++, kind, title, count: 1, ...more };
    toasts.value = [...now, t].slice(-MAX);
    if (kind === 'error') assertive.value = [title, more.message].filter(Boolean).join(': ');
    else polite.value = title;
    if (LIFE[kind] > 0) setTimeout(() => dismiss(t.id), LIFE[kind]);
}

export function dismiss(id: number): void {
    toasts.value = toasts.peek().filter(t => t.id !== id);
}

let lastAnnounced = -Infinity;
let waiting: string | undefined;

// At most one announcement in five seconds, the latest wins.
export function announce(text: string): void {
    const wait = lastAnnounced + 5000 - performance.now();
    if (wait <= 0) {
        lastAnnounced = performance.now();
        polite.value = text;
    } else {
        if (waiting === undefined) {
            setTimeout(() => {
                const t = waiting;
                waiting = undefined;
                if (t !== undefined) announce(t);
            }, wait);
        }
        waiting = text;
    }
}
