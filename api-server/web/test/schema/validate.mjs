// The part of JSON Schema that live.schema.json uses. `node test/schema/validate.mjs < frames.jsonl` checks messages,
// one a line, as any server sent them, and the rows of the topics whose name is given first: --topic ID=apps.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const schema = JSON.parse(readFileSync(fileURLToPath(new URL('./live.schema.json', import.meta.url)), 'utf8'));

function typeOf(v) {
    if (v === null) return 'null';
    if (Array.isArray(v)) return 'array';
    return Number.isInteger(v) ? 'integer' : typeof v;
}

// Messages of what is wrong; none if the value fits.
export function check(v, s, at = '$') {
    if (s.$ref) return check(v, schema.$defs[s.$ref.split('/').pop()], at);
    const out = [];
    const type = typeOf(v);
    if (s.oneOf) {
        const tries = s.oneOf.map(o => check(v, o, at));
        const fits = tries.filter(t => t.length === 0).length;
        return fits === 1 ? [] : [`${at}: ${fits} of the alternatives fit; nearest: ${tries.sort((a, b) => a.length - b.length)[0].join('; ')}`];
    }
    if ('const' in s && v !== s.const) out.push(`${at}: is ${JSON.stringify(v)}, not ${JSON.stringify(s.const)}`);
    if (s.enum && !s.enum.includes(v)) out.push(`${at}: ${JSON.stringify(v)} is none of ${s.enum.join(', ')}`);
    if (s.type && s.type !== type && !(s.type === 'number' && type === 'integer')) return [...out, `${at}: is ${type}, not ${s.type}`];
    if (type === 'object') {
        for (const k of s.required ?? []) if (!(k in v)) out.push(`${at}.${k} is missing`);
        for (const [k, x] of Object.entries(v)) {
            if (s.properties?.[k]) out.push(...check(x, s.properties[k], `${at}.${k}`));
            else if (s.additionalProperties === false) out.push(`${at}.${k} is unknown`);
        }
    }
    if (type === 'array') {
        if (s.maxItems !== undefined && v.length > s.maxItems) out.push(`${at}: more than ${s.maxItems} items`);
        if (s.minItems !== undefined && v.length < s.minItems) out.push(`${at}: fewer than ${s.minItems} items`);
        v.forEach((x, i) => {
            const item = s.prefixItems?.[i] ?? s.items;
            if (item) out.push(...check(x, item, `${at}[${i}]`));
        });
    }
    return out;
}

// One named cell of a row; a code that the dictionary lacks is a value no column allows.
function cell(m, column, v) {
    if (!column.endsWith('#')) return [column, v];
    return [column.slice(0, -1), v === null ? null : (m.dict?.[v] ?? (m.dict && v in m.dict ? null : Symbol.for('no such code')))];
}

const without = (row, empty) => Object.fromEntries(Object.entries(row).filter(([, v]) => v !== empty));

// Checks a message and, for a known topic, the rows in it.
export function checkMessage(m, topic) {
    const out = check(m, schema);
    if (out.length > 0) return out;
    const rows = [];
    if (m.ev === 'delta') for (const [k, cols] of m.set ?? []) rows.push([k, cols]);
    if (m.ev === 'snap') {
        const cols = m.cols ?? [];
        for (const r of m.rows) {
            if (r.length > cols.length + 1) out.push(`row ${r[0]}: ${r.length - 1} cells for ${cols.length} columns`);
            rows.push([r[0], Object.fromEntries(cols.map((c, i) => cell(m, c, r[i + 1] ?? null)))]);
        }
    }
    for (const [k, cols] of rows) {
        const row = without(cols, null);
        if (topic === 'apps') out.push(...check(row, schema.$defs.appsRow, k));
        if (topic === 'app' && k === 'app') out.push(...check(row, schema.$defs.appRow, k));
        if (topic === 'app' && !/^(app$|r:|o:)/.test(k)) out.push(`${k}: not a key of topic app`);
    }
    return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const topics = new Map(process.argv.filter(a => a.includes('=')).map(a => a.split('=')));
    let wrong = 0;
    let n = 0;
    for (const line of readFileSync(0, 'utf8').split('\n').filter(l => l.trim())) {
        n++;
        const m = JSON.parse(line);
        for (const w of checkMessage(m, topics.get(String(m.id)))) {
            wrong++;
            console.log(`message ${n}: ${w}`);
        }
    }
    console.log(`${n} messages, ${wrong} problems`);
    process.exit(wrong === 0 && n > 0 ? 0 : 1);
}
