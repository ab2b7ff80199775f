// The dashboard's test server: the built files with the headers of the real one, REST, and the live protocol, over an
// invented world. Started by tests (start()) or by hand: node test/serve.mjs.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Live } from './fake/live.mjs';
import { Rest } from './fake/rest.mjs';
import { World } from './fake/world.mjs';
import { accept } from './fake/ws.mjs';

const CSP = "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";
const PROTOCOL = 'argocd-live.v1';

function readBody(req) {
    return new Promise((resolve, reject) => {
        let text = '';
        req.on('data', d => (text += d));
        req.on('end', () => {
            try {
                resolve(text === '' ? undefined : JSON.parse(text));
            } catch (e) {
                reject(e);
            }
        });
    });
}

export class TestServer {
    constructor(o) {
        this.world = new World(o);
        this.live = new Live(this.world);
        this.rest = new Rest(this.world, this.live, o);
        this.assets = new Map(JSON.parse(readFileSync(join(o.dir, 'assets.json'), 'utf8')).map(a => [a.path, { ...a, body: readFileSync(join(o.dir, a.gz)) }]));
        this.refuseUpgrade = false;
        this.port = o.port ?? 0;
    }

    listen() {
        this.server = createServer((req, res) => void this.onRequest(req, res));
        this.server.on('upgrade', (req, socket) => this.onUpgrade(req, socket));
        return new Promise(resolve =>
            this.server.listen(this.port, '127.0.0.1', () => {
                this.port = this.server.address().port;
                this.url = `http://127.0.0.1:${this.port}`;
                resolve(this);
            }),
        );
    }

    // Stops listening and drops everybody, as a process that ends does.
    down() {
        this.live.closeAll(1001);
        return new Promise(resolve => {
            this.server.close(resolve);
            setTimeout(() => {
                this.live.cut();
                this.server.closeAllConnections();
            }, 30);
        });
    }

    async close() {
        this.world.stop();
        await this.down();
    }

    // All sessions end; whoever is connected is told.
    revoke() {
        this.rest.sessions.clear();
        this.live.closeAll(4401);
    }

    async onRequest(req, res) {
        const url = new URL(req.url, this.url);
        try {
            if (url.pathname.startsWith('/api/')) return await this.rest.handle(req, res, url, await readBody(req));
        } catch (e) {
            res.writeHead(500);
            return res.end(String(e));
        }
        if (url.pathname === '/auth/logout') {
            res.writeHead(303, { Location: '/login', 'Set-Cookie': 'argocd.token=; path=/; Max-Age=0' });
            return res.end();
        }
        this.asset(req, res, url.pathname.slice(1));
    }

    asset(req, res, path) {
        const page = (req.headers.accept ?? '').includes('text/html');
        const a = this.assets.get(path) ?? (page ? this.assets.get('index.html') : undefined);
        if (!a) {
            res.writeHead(404);
            return res.end();
        }
        res.writeHead(200, {
            'Content-Type': a.mime,
            'Content-Encoding': 'gzip',
            ETag: `"${a.etag}"`,
            'Cache-Control': a.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
            'Content-Security-Policy': CSP,
            'X-Frame-Options': 'sameorigin',
            'X-Content-Type-Options': 'nosniff',
        });
        res.end(a.body);
    }

    onUpgrade(req, socket) {
        const ok = req.url === '/api/v1/stream/ws' && req.headers['sec-websocket-protocol'] === PROTOCOL && !this.refuseUpgrade;
        if (!ok || !this.rest.session(req)) {
            socket.end(`HTTP/1.1 ${ok ? '401 Unauthorized' : '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
            return;
        }
        this.live.connect(accept(req, socket, PROTOCOL));
    }
}

export function start(o) {
    return new TestServer(o).listen();
}
