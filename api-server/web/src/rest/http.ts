// One way to talk REST. Errors carry the server's words; a 401 is handed to the session, once, and never retried here.

const TIMEOUT = 60_000;

export class ApiError extends Error {
    constructor(
        message: string,
        readonly status: number,
        readonly code: number,
        readonly path: string,
    ) {
        super(message);
    }

    get denied(): boolean {
        return this.status === 403;
    }
}

export const BASE = typeof document === 'undefined' ? 'http://localhost/' : document.baseURI;

let unauthorised: () => void = () => {};

export function onUnauthorised(fn: () => void): void {
    unauthorised = fn;
}

export function query(params: Record<string, string | number | boolean | undefined>): string {
    const q = new URLSearchParams();
    for (const [k, v] of Object.entries(params)) if (v !== undefined && v !== '') q.set(k, String(v));
    const s = q.toString();
    return s ? `?${s}` : '';
}

// `path` is relative to the base, for example `api/v1/settings`.
export async function request<T>(method: string, path: string, body?: unknown, timeout = TIMEOUT): Promise<T> {
    const init: RequestInit = { method, credentials: 'same-origin', signal: AbortSignal.timeout(timeout) };
    if (method !== 'GET') init.headers = { 'Content-Type': 'application/json' };
    if (body !== undefined) init.body = JSON.stringify(body);
    let res: Response;
    try {
        res = await fetch(new URL(path, BASE), init);
    } catch (e) {
        const late = e instanceof DOMException && e.name === 'TimeoutError';
        throw new ApiError(late ? 'The server did not answer in time.' : 'The server cannot be reached.', 0, 14, path);
    }
    const text = await res.text();
    if (res.ok) return (text === '' ? {} : parse(text, res, path)) as T;
    // A wrong password answers 401 too: that one belongs to the login form.
    if (res.status === 401 && !path.startsWith('api/v1/session')) unauthorised();
    throw errorOf(text, res, path);
}

function parse(text: string, res: Response, path: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        throw new ApiError('The server sent something that is not JSON.', res.status, 13, path);
    }
}

function errorOf(text: string, res: Response, path: string): ApiError {
    try {
        const b = JSON.parse(text) as { error?: string; message?: string; code?: number };
        return new ApiError(b.error || b.message || res.statusText, res.status, b.code ?? 2, path);
    } catch {
        return new ApiError(text.slice(0, 500) || res.statusText || `HTTP ${res.status}`, res.status, 2, path);
    }
}

export const get = <T>(path: string) => request<T>('GET', path);

export function messageOf(e: unknown): string {
    return e instanceof Error ? e.message : String(e);
}
