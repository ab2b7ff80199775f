// The state machine of client.ts bound to the browser.

import { signal } from '@preact/signals';
import { LIVE_PROTOCOL } from '../product';
import { BASE } from '../rest/http';
import { enqueue, flushes } from '../store/batch';
import { checkSession, dropPermissions, toLogin } from '../store/session';
import { LiveClient } from './client';
import type { Connection, ConnectionHandlers, LiveState } from './contract';
import { startFallback } from './fallback';

const WAKE_CHECK = 5_000;
const WAKE_GAP = 30_000;

export const liveState = signal<LiveState>({ kind: 'connecting' });

function connect(h: ConnectionHandlers): Connection {
    const url = new URL('api/v1/stream/ws', BASE);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    let ws: WebSocket;
    try {
        ws = new WebSocket(url, LIVE_PROTOCOL);
    } catch {
        setTimeout(() => h.close(1006), 0);
        return { send: () => {}, close: () => {} };
    }
    ws.onmessage = e => typeof e.data === 'string' && h.message(e.data);
    ws.onclose = e => h.close(e.code);
    return {
        send: text => {
            if (ws.readyState === WebSocket.OPEN) ws.send(text);
        },
        close: code => ws.close(code),
    };
}

export const live = new LiveClient({
    now: () => performance.now(),
    random: Math.random,
    setTimer: (fn, ms) => setTimeout(fn, ms),
    clearTimer: t => clearTimeout(t as number),
    connect,
    checkSession,
    toLogin,
    changed: s => {
        liveState.value = s;
    },
    policyChanged: dropPermissions,
    fallback: startFallback,
});

export function startLive(): void {
    live.start();
    document.addEventListener('visibilitychange', () => live.visibility(document.hidden));
    addEventListener('online', () => live.online(true));
    addEventListener('offline', () => live.online(false));
    let last = Date.now();
    // A clock that jumped means that the machine slept.
    setInterval(() => {
        const now = Date.now();
        if (now - last > WAKE_GAP) live.poke();
        last = now;
    }, WAKE_CHECK);
    if (__TEST__) {
        Object.defineProperty(window, '__live', {
            value: {
                get state() {
                    return live.state.kind;
                },
                get rev() {
                    return live.rev;
                },
                get subs() {
                    return live.subscriptions;
                },
                get rx() {
                    return live.received;
                },
                get rtt() {
                    return live.rtt;
                },
                get flushes() {
                    return flushes;
                },
            },
        });
    }
}

export const defer = enqueue;
