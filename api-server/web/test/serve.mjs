// node test/serve.mjs [--dir DIR] [--apps N] [--port P] [--big]: the test server by hand, with a change now and then.

import { start } from './server.mjs';

const arg = (name, fallback) => {
    const i = process.argv.indexOf(`--${name}`);
    return i < 0 ? fallback : process.argv[i + 1];
};
const dir = arg('dir', new URL('../../../build/web', import.meta.url).pathname);
const server = await start({ dir, apps: Number(arg('apps', 5)), port: Number(arg('port', 8090)), big: process.argv.includes('--big') });
console.log(`${server.url}  admin / secret`);
const healths = ['Healthy', 'Progressing', 'Degraded'];
setInterval(() => {
    const keys = [...server.world.apps.keys()];
    const key = keys[Math.floor(Math.random() * keys.length)];
    server.world.patch(key, a => {
        a.status.health = { status: healths[Math.floor(Math.random() * healths.length)] };
    });
}, 5000);
