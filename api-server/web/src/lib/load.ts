// Reads something by REST while a panel is open; an answer that comes after the question changed is dropped.

import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../rest/http';

export interface Loaded<T> {
    data?: T;
    error?: string;
    loading: boolean;
    reload: () => void;
}

export function useLoad<T>(load: () => Promise<T>, deps: unknown[]): Loaded<T> {
    const [state, setState] = useState<{ data?: T; error?: string; loading: boolean }>({ loading: true });
    const [attempt, setAttempt] = useState(0);
    useEffect(() => {
        let stale = false;
        setState(s => ({ data: s.data, loading: true }));
        load().then(
            data => !stale && setState({ data, loading: false }),
            e => !stale && setState({ error: messageOf(e), loading: false }),
        );
        return () => {
            stale = true;
        };
    }, [...deps, attempt]);
    return { ...state, reload: () => setAttempt(n => n + 1) };
}
