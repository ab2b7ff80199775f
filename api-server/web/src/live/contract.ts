// What the live client asks of the world around it, and what it offers.

import type { Columns, Since } from './protocol';

export type LiveKind = 'connecting' | 'live' | 'reconnecting' | 'limited' | 'offline' | 'stopped';

export interface LiveState {
    kind: LiveKind;
    // Time of the next attempt in milliseconds (of LiveEnv.now), while waiting for one.
    retryAt?: number;
    reason?: string;
    // The server no longer speaks this page's protocol: only a reload helps.
    reload?: boolean;
}

export interface Sink {
    // A part of a snapshot. With `reset` the parts up to `done` replace everything; else they are merged.
    snap(part: { reset: boolean; first: boolean; done: boolean; set: [string, Columns][]; del: string[] }): void;
    delta(set: [string, Columns][], del: string[]): void;
    onError(e: { code: string; http: number; message: string; retry: boolean }): void;
}

export interface Request {
    topic: string;
    args: Record<string, unknown>;
    sink: Sink;
    since?: Since;
}

export interface Subscription {
    stop(): void;
    // Where a later subscription to the same topic and args may resume; undefined before the first whole snapshot.
    cursor(): Since | undefined;
}

export interface Connection {
    send(text: string): void;
    close(code?: number): void;
}

export interface ConnectionHandlers {
    message(text: string): void;
    close(code: number): void;
}

export type Session = 'in' | 'out' | 'unreachable';

export interface LiveEnv {
    now(): number;
    random(): number;
    setTimer(fn: () => void, ms: number): unknown;
    clearTimer(t: unknown): void;
    connect(h: ConnectionHandlers): Connection;
    // One request for the session; it may renew the cookie.
    checkSession(): Promise<Session>;
    toLogin(): void;
    changed(state: LiveState): void;
    // Permissions may have changed: cached answers about them are void.
    policyChanged?(): void;
    // Serves a subscription by REST and EventSource while the socket cannot be had; returns how to stop.
    fallback?(request: Request): () => void;
}
