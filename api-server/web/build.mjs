// Builds the dashboard: node build.mjs --out DIR [--test]
//
// DIR gets the files under hashed names with a .gz beside each, assets.json (what the server needs to know of each),
// assets.c (the same as a C table with the gz bodies, see api-server/http/web_assets.h), maps/ and licences.txt.
// The build fails when a size budget of the specification (P1, P2) is exceeded.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
const BUDGET = { entry: 60_000, total: 150_000 };
const MIME = {
    html: 'text/html; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
    css: 'text/css; charset=utf-8',
    svg: 'image/svg+xml',
    txt: 'text/plain; charset=utf-8',
};

function parseArgs(argv) {
    const o = { out: '', test: false };
    for (let i = 0; i < argv.length; i++) {
        if (argv[i] === '--out') o.out = argv[++i] ?? '';
        else if (argv[i] === '--test') o.test = true;
        else throw new Error(`unknown argument ${argv[i]}`);
    }
    if (!o.out) throw new Error('usage: build.mjs --out DIR [--test]');
    return o;
}

const common = { bundle: true, minify: true, target: 'es2022', write: false, metafile: true, absWorkingDir: HERE, logLevel: 'warning', legalComments: 'none' };

async function bundle(test) {
    const define = { __TEST__: String(test) };
    const app = await build({
        ...common,
        entryPoints: { main: 'src/main.tsx', style: 'src/styles/style.css' },
        format: 'esm',
        splitting: true,
        jsx: 'automatic',
        jsxImportSource: 'preact',
        define,
        sourcemap: 'external',
        outdir: 'out',
        entryNames: '[name]-[hash]',
        chunkNames: 'chunk-[hash]',
    });
    // A classic script: it must run before the first paint, which modules do not.
    const theme = await build({ ...common, entryPoints: { theme: 'src/theme.ts' }, format: 'iife', define, outdir: 'out', entryNames: '[name]-[hash]' });
    return [app, theme];
}

const nameOf = path => relative(join(HERE, 'out'), path);
const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

function collect(results) {
    const files = new Map();
    for (const r of results) for (const f of r.outputFiles) files.set(nameOf(f.path), Buffer.from(f.contents));
    return files;
}

function findEntry(results, source) {
    for (const r of results) {
        for (const [out, info] of Object.entries(r.metafile.outputs)) if (info.entryPoint === source) return { name: relative('out', out), info };
    }
    throw new Error(`no output for ${source}`);
}

// Names of an output and everything it imports statically.
function closure(outputs, out, seen = new Set()) {
    if (seen.has(out)) return seen;
    seen.add(out);
    for (const i of outputs[out].imports) if (i.kind === 'import-statement') closure(outputs, i.path, seen);
    return seen;
}

function entryFiles(results) {
    const outputs = results[0].metafile.outputs;
    const names = new Set(['index.html', findEntry(results, 'src/theme.ts').name, findEntry(results, 'src/styles/style.css').name]);
    for (const [out, info] of Object.entries(outputs)) {
        // Login and list are in it; every other page is on demand.
        if (info.entryPoint === 'src/main.tsx') for (const o of closure(outputs, out)) names.add(relative('out', o));
    }
    return names;
}

function indexHtml(results) {
    const outputs = results[0].metafile.outputs;
    const main = findEntry(results, 'src/main.tsx');
    const preload = [...closure(outputs, join('out', main.name))].map(o => relative('out', o)).filter(n => n !== main.name);
    const product = /PRODUCT = '([^']+)'/.exec(readFileSync(join(HERE, 'src/product.ts'), 'utf8'))[1];
    return readFileSync(join(HERE, 'src/index.html'), 'utf8')
        .replace('{{product}}', product)
        .replace('{{theme}}', findEntry(results, 'src/theme.ts').name)
        .replace('{{style}}', findEntry(results, 'src/styles/style.css').name)
        .replace('{{main}}', main.name)
        .replace('{{preload}}', preload.map(n => `<link rel="modulepreload" href="${n}">`).join('\n    '));
}

// The licence texts of the packages whose code is in the bundles.
function licences(results) {
    const packages = new Set();
    for (const r of results) {
        for (const input of Object.keys(r.metafile.inputs)) {
            const m = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
            if (m) packages.add(m[1]);
        }
    }
    return [...packages]
        .sort()
        .map(p => {
            const dir = join(HERE, 'node_modules', p);
            const meta = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
            const file = readdirSync(dir).find(f => /^licen[cs]e/i.test(f));
            return `${p} ${meta.version} (${meta.license})\n\n${file ? readFileSync(join(dir, file), 'utf8').trim() : ''}\n`;
        })
        .join('\n' + '-'.repeat(80) + '\n\n');
}

function writeChanged(path, bytes) {
    if (existsSync(path) && readFileSync(path).equals(Buffer.from(bytes))) return;
    writeFileSync(path, bytes);
}

function cTable(assets, out) {
    const lines = ['// Written by api-server/web/build.mjs.', '#include "api-server/http/web_assets.h"', ''];
    assets.forEach((a, i) => {
        lines.push(
            `__asm__(".section .rodata\\n.balign 16\\nweb_gz_${i}:\\n.incbin \\"${out}/${a.gz}\\"\\n.previous\\n");`,
            `extern const unsigned char web_gz_${i}[];`,
        );
    });
    lines.push('', 'const struct web_asset web_assets[] = {');
    assets.forEach((a, i) => lines.push(`    {"${a.path}", "${a.mime}", "${a.etag}", ${a.immutable}, web_gz_${i}, ${a.gzSize}},`));
    lines.push('};', `const size_t web_assets_n = ${assets.length};`, '');
    return lines.join('\n');
}

function gate(assets, entry) {
    const sum = list => list.reduce((n, a) => n + a.gzSize, 0);
    const code = assets.filter(a => /\.(js|css|html)$/.test(a.path));
    const figures = { entry: sum(code.filter(a => entry.has(a.path))), total: sum(code) };
    let over = false;
    for (const [name, value] of Object.entries(figures)) {
        const bad = value > BUDGET[name];
        over ||= bad;
        console.log(`web ${name} ${value} bytes gz, budget ${BUDGET[name]} ${bad ? 'over' : 'ok'}`);
    }
    if (over) throw new Error('a size budget is exceeded');
}

async function main() {
    const o = parseArgs(process.argv.slice(2));
    const results = await bundle(o.test);
    const files = collect(results);
    files.set('index.html', Buffer.from(indexHtml(results)));
    files.set('favicon.svg', readFileSync(join(HERE, 'src/icons/favicon.svg')));
    files.set('licences.txt', Buffer.from(licences(results)));

    rmSync(join(o.out, 'maps'), { recursive: true, force: true });
    mkdirSync(join(o.out, 'maps'), { recursive: true });
    const keep = new Set(['maps', 'assets.json', 'assets.c', '.built']);
    const assets = [];
    for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (path.endsWith('.map')) {
            writeChanged(join(o.out, 'maps', path), bytes);
            continue;
        }
        const gz = gzipSync(bytes, { level: 9 });
        writeChanged(join(o.out, path), bytes);
        writeChanged(join(o.out, `${path}.gz`), gz);
        keep.add(path).add(`${path}.gz`);
        const immutable = /-[A-Z0-9]{8}\.(js|css)$/.test(path);
        assets.push({ path, mime: MIME[path.split('.').pop()], etag: sha256(bytes), immutable, size: bytes.length, gz: `${path}.gz`, gzSize: gz.length });
    }
    for (const f of readdirSync(o.out)) if (!keep.has(f)) rmSync(join(o.out, f), { recursive: true });
    writeChanged(join(o.out, 'assets.json'), JSON.stringify(assets, null, 1) + '\n');
    writeChanged(join(o.out, 'assets.c'), cTable(assets, relative(process.cwd(), o.out) || '.'));
    gate(assets, entryFiles(results));
}

main().catch(e => {
    console.error(`web: ${e.message}`);
    process.exit(1);
});
