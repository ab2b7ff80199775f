// Who the user is, what the server offers, and the one way out when the session ends (specification E4, W8).

import { signal } from '@preact/signals';
import { api } from '../rest/api';
import { ApiError, BASE, onUnauthorised } from '../rest/http';
import type { Session } from '../live/contract';
import type { Settings, UserInfo, VersionInfo } from '../types';

export const settings = signal<Settings>({});
export const user = signal<UserInfo | undefined>(undefined);
export const version = signal<VersionInfo>({});
// Why the page could not start, if the server did not answer at boot.
export const bootError = signal<string | undefined>(undefined);

let leaving = false;
let anonymous = false;

// One redirect, whoever asks and however often.
export function toLogin(): void {
    if (leaving) return;
    const base = new URL(BASE).pathname;
    if (location.pathname === `${base}login`) return;
    leaving = true;
    const here = location.pathname + location.search;
    location.assign(`${base}login?return_url=${encodeURIComponent(here)}`);
}

let checking: Promise<Session> | undefined;

// Asks who we are; callers at the same time share one request.
export function checkSession(): Promise<Session> {
    checking ??= api
        .userInfo()
        .then(
            (u): Session => {
                user.value = u;
                return u.loggedIn || anonymous ? 'in' : 'out';
            },
            (e): Session => (e instanceof ApiError && e.status === 401 ? 'out' : 'unreachable'),
        )
        .finally(() => {
            checking = undefined;
        });
    return checking;
}

export function startSession(): void {
    onUnauthorised(() => {
        if (leaving) return;
        void checkSession().then(s => {
            if (s === 'out') toLogin();
        });
    });
}

// Reads the three things every page needs. True if the user may go on to the pages (the login page asks no further).
export async function boot(login: boolean): Promise<boolean> {
    bootError.value = undefined;
    void api.version().then(
        v => (version.value = v),
        () => {},
    );
    const [s, u] = await Promise.allSettled([api.settings(), api.userInfo()]);
    if (s.status === 'fulfilled') settings.value = s.value;
    if (u.status === 'fulfilled') user.value = u.value;
    const failure = u.status === 'rejected' ? u.reason : undefined;
    if (failure instanceof ApiError && failure.status !== 401) {
        bootError.value = failure.message;
        return false;
    }
    if (login || user.peek()?.loggedIn) return true;
    return mayReadAnonymously();
}

async function mayReadAnonymously(): Promise<boolean> {
    try {
        anonymous = (await api.canI('applications', 'get', '*/*')).value === 'yes';
    } catch {
        anonymous = false;
    }
    return anonymous;
}

interface Verdict {
    value: boolean;
    at: number;
}

const verdicts = new Map<string, Verdict>();
const VERDICT_LIFE = 60_000;
// Rises when cached answers are dropped or an answer arrives.
export const permissions = signal(0);

// Whether the user may; optimistic until the server has answered.
export function can(resource: string, action: string, object: string): boolean {
    void permissions.value;
    const key = `${resource} ${action} ${object}`;
    const v = verdicts.get(key);
    if (v && Date.now() - v.at < VERDICT_LIFE) return v.value;
    verdicts.set(key, { value: v?.value ?? true, at: Date.now() });
    void api.canI(resource, action, object).then(
        r => {
            verdicts.set(key, { value: r.value !== 'no', at: Date.now() });
            permissions.value++;
        },
        // An answer that cannot be had forbids nothing: the server decides when the action is tried.
        () => {},
    );
    return v?.value ?? true;
}

export function dropPermissions(): void {
    verdicts.clear();
    permissions.value++;
}
