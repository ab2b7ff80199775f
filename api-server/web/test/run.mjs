// node test/run.mjs unit|browser [name…]: bundles the TypeScript tests and runs them with node's own runner.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, '../../../build/web-test');
const [kind, ...names] = process.argv.slice(2);

function pick(dir, ext) {
    return readdirSync(join(HERE, dir))
        .filter(f => f.endsWith(ext) && (names.length === 0 || names.some(n => f.includes(n))))
        .map(f => join(HERE, dir, f))
        .sort();
}

function node(args) {
    const r = spawnSync(process.execPath, args, { stdio: 'inherit', env: { ...process.env, WEB_TEST_DIR: join(OUT, 'site') } });
    if (r.status !== 0) process.exit(r.status ?? 1);
}

if (kind === 'unit') {
    const out = join(OUT, 'unit');
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out, { recursive: true });
    await build({ entryPoints: pick('unit', '.test.ts'), bundle: true, platform: 'node', format: 'esm', outdir: out, outExtension: { '.js': '.mjs' }, define: { __TEST__: 'true' }, jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning', sourcemap: 'inline' });
    node(['--enable-source-maps', '--test', ...readdirSync(out).map(f => join(out, f))]);
} else if (kind === 'browser') {
    node([join(HERE, '../build.mjs'), '--out', join(OUT, 'site'), '--test']);
    // One file after the other; Node 18 has no way to say so.
    const [major, minor] = process.versions.node.split('.').map(Number);
    const serial = major > 20 || (major === 20 && minor >= 10) ? ['--test-concurrency=1'] : [];
    node(['--test', ...serial, ...pick('browser', '.test.mjs')]);
} else {
    console.error('usage: run.mjs unit|browser [name…]');
    process.exit(2);
}
