// One browser and one test server per file; every page is watched: a console error, a page error, a violated policy or a
// request to another origin fails the test that made it, unless the test said that it is part of the scenario.

import assert from 'node:assert/strict';
import { cpus, loadavg } from 'node:os';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { start } from '../server.mjs';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const DIR = process.env.WEB_TEST_DIR;

export function setup(options = {}) {
    const t = { server: undefined, browser: undefined };
    before(async () => {
        assert.ok(DIR, 'run by test/run.mjs');
        t.server = await start({ dir: DIR, ...options });
        t.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
    });
    after(async () => {
        await t.browser?.close();
        await t.server?.close();
    });
    return t;
}

// A page of a new user. `expect` lists texts of console errors that belong to the scenario.
export async function open(t, path, o = {}) {
    const context = o.context ?? (await t.browser.newContext({ viewport: o.viewport ?? { width: 1440, height: 900 }, colorScheme: o.dark ? 'dark' : 'light', reducedMotion: o.motion ? 'no-preference' : 'reduce' }));
    if (!o.anonymous) await context.addCookies([{ name: 'argocd.token', value: 'test', url: t.server.url }]);
    const page = await context.newPage();
    page.setDefaultTimeout(8000);
    page.trouble = [];
    page.requested = [];
    const expected = o.expect ?? [];
    page.on('console', m => {
        if (m.type() === 'error' && !expected.some(e => m.text().includes(e) || m.location().url.includes(e))) page.trouble.push(m.text());
    });
    page.on('pageerror', e => page.trouble.push(e.stack ?? e.message));
    page.on('request', r => {
        page.requested.push(r.url());
        if (!r.url().startsWith(t.server.url) && !r.url().startsWith('data:')) page.trouble.push(`request to ${r.url()}`);
    });
    if (o.prefs) await page.addInitScript(p => localStorage.setItem('dash.prefs.v1', JSON.stringify(p)), o.prefs);
    await page.goto(t.server.url + path);
    if (!o.anonymous && !o.unready) await live(page);
    return page;
}

export async function close(page) {
    assert.deepEqual(page.trouble, []);
    await page.context().close();
}

export const live = (page, timeout = 5000) => page.waitForSelector('[data-testid=live][data-state=live]', { timeout });
export const names = page => page.$$eval('[data-testid=app] a.name', list => list.map(a => a.textContent));
export const shown = page => page.textContent('[data-testid=shown]');
export const elements = (page, selector) => page.$eval(selector, e => e.querySelectorAll('*').length);

export async function until(what, timeout = 3000, why = 'in time') {
    const end = Date.now() + timeout;
    for (;;) {
        if (await what()) return;
        if (Date.now() > end) assert.fail(`not ${why}`);
        await new Promise(r => setTimeout(r, 25));
    }
}

// Milliseconds of processor time that the page's main thread spends on something, whoever else uses the machine.
export async function cpuOf(page, work) {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
    const read = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map(m => [m.name, m.value * 1000]));
    const before = await read();
    const value = await work();
    const after = await read();
    await cdp.detach();
    return { script: after.ScriptDuration - before.ScriptDuration, task: after.TaskDuration - before.TaskDuration, value };
}

// Wall time says something only where nobody else uses the processors.
export const quiet = () => loadavg()[0] < cpus().length;

// Timings on a shared machine: the best of a few runs must keep the budget.
export async function bestOf(runs, budget, what) {
    const seen = [];
    for (let i = 0; i < runs; i++) {
        seen.push(await what());
        if (seen[i] <= budget) return seen[i];
    }
    assert.fail(`budget ${budget}, measured ${seen.map(s => s.toFixed(1)).join(', ')}`);
}
