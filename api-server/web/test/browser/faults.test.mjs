import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, live, open, setup, until } from './helpers.mjs';

const t = setup({ apps: 5, big: true });
const health = (key, status) => t.server.world.patch(key, a => {
    a.status.health = { status };
});
const state = page => page.getAttribute('[data-testid=live]', 'data-state');
const row = (page, name) => page.textContent(`[data-key="argocd/${name}"] .w-health`);

test('scenario 22: the server restarts; data stays, and all is live and right again without a page load', async () => {
    const page = await open(t, '/applications?view=list', { expect: ['ERR_CONNECTION_REFUSED', 'WebSocket'] });
    await page.waitForSelector('[data-testid=app]');
    await page.evaluate(() => (window.same = true));
    await t.server.down();
    await page.waitForSelector('[data-testid=live][data-state=reconnecting]');
    assert.match(await page.textContent('[data-testid=live]'), /Reconnecting/);
    assert.equal(await page.locator('[data-testid=app]').count(), 6, 'nothing vanishes');
    await page.waitForTimeout(1500);
    t.server.live.restart();
    t.server.world.remove('argocd/monitoring');
    t.server.world.apps.get('argocd/shop').status.health = { status: 'Healthy' };
    t.server.world.changed('argocd/shop');
    await t.server.listen();
    await live(page, 5000);
    await until(async () => (await page.locator('[data-testid=app]').count()) === 5, 1000);
    assert.equal(await row(page, 'shop'), 'Healthy');
    assert.equal(await page.evaluate(() => window.same), true);
    await close(page);
});

test('a cut connection resumes where it was', async () => {
    const page = await open(t, '/applications?view=list', { expect: ['WebSocket'] });
    await page.waitForSelector('[data-testid=app]');
    const resets = t.server.live.resets;
    t.server.live.cut();
    health('argocd/guestbook', 'Missing');
    await until(async () => (await row(page, 'guestbook')) === 'Missing', 4000);
    assert.equal(t.server.live.resets, resets, 'no snapshot was needed');
    assert.ok(t.server.live.resumes > 0);
    await close(page);
});

test('a lost message is noticed and made good', async () => {
    const page = await open(t, '/applications?view=list');
    await page.waitForSelector('[data-testid=app]');
    await until(async () => t.server.live.connections.size === 1, 3000, 'alone');
    const resumes = t.server.live.resumes ?? 0;
    t.server.live.gap();
    health('argocd/guestbook', 'Suspended');
    await page.waitForTimeout(250);
    health('argocd/payments-api', 'Degraded');
    await until(async () => (await row(page, 'guestbook')) === 'Suspended' && (await row(page, 'payments-api')) === 'Degraded', 2000);
    assert.equal(t.server.live.resumes, resumes + 1);
    await close(page);
});

test('a reset swaps the rows in without an empty flash', async () => {
    const page = await open(t, '/applications?view=list');
    await page.waitForSelector('[data-testid=app]');
    await page.evaluate(() => {
        window.least = 99;
        new MutationObserver(() => (window.least = Math.min(window.least, document.querySelectorAll('[data-testid=app]').length))).observe(document.body, { subtree: true, childList: true });
    });
    t.server.live.policy(k => k === 'argocd/nightly-reports');
    await until(async () => (await page.locator('[data-testid=app]').count()) === 4, 2000);
    assert.ok((await page.evaluate(() => window.least)) >= 4);
    t.server.live.policy(() => false);
    await close(page);
});

test('a slow server: the page says that it loads, then shows everything', async () => {
    t.server.live.delay = 600;
    const page = await open(t, '/applications', { unready: true });
    await page.waitForSelector('.bone-tiles');
    await page.waitForSelector('[data-testid=app]', { timeout: 3000 });
    t.server.live.delay = 0;
    await close(page);
});

test('scenario 25: ten tabs on ten pages are all live, and the eleventh loads', async () => {
    const context = await t.browser.newContext({ viewport: { width: 800, height: 600 } });
    const pages = [];
    const names = ['guestbook', 'shop', 'payments-api', 'nightly-reports', 'big'];
    for (let i = 0; i < 11; i++) pages.push(await open(t, `/applications/argocd/${names[i % 5]}?view=list`, { context }));
    for (const p of pages) assert.equal(await state(p), 'live');
    await pages[10].waitForSelector('[data-testid=resource-row]');
    health('argocd/guestbook', 'Degraded');
    await until(async () => /Degraded/.test(await pages[0].textContent('[data-testid=card-health]')), 1000);
    for (const p of pages) assert.deepEqual(p.trouble, []);
    await context.close();
});

test('scenario 26: Upgrade refused: limited, said so, and fresh within five seconds', async () => {
    t.server.refuseUpgrade = true;
    const page = await open(t, '/applications?view=list', { unready: true, expect: ['WebSocket'] });
    await page.waitForSelector('[data-testid=live][data-state=limited]', { timeout: 8000 });
    await page.waitForSelector('[data-testid=app]');
    await until(async () => t.server.rest.streams.size === 1, 6000, 'a stream of events');
    health('argocd/guestbook', 'Progressing');
    await until(async () => (await row(page, 'guestbook')) === 'Progressing', 5000);
    await page.click('a.name:text-is("guestbook")');
    await page.waitForSelector('[data-testid=card][aria-label^="Deployment"]', { timeout: 5000 });
    health('argocd/guestbook', 'Healthy');
    await until(async () => /Healthy/.test(await page.textContent('[data-testid=card-health]')), 5000);
    assert.ok(t.server.rest.streams.size <= 2);
    t.server.refuseUpgrade = false;
    await close(page);
});

test('a server that cannot be reached at start is an error with a way out', async () => {
    const context = await t.browser.newContext();
    const page = await open(t, '/help', { context, expect: ['Failed to load', '500'] });
    await page.route('**/api/v1/session/userinfo', r => r.fulfill({ status: 500, contentType: 'application/json', body: '{"error":"dex is down","code":13}' }));
    await page.reload();
    await page.waitForSelector('text=dex is down');
    await page.unroute('**/api/v1/session/userinfo');
    await page.click('text=Retry');
    await live(page);
    await page.waitForSelector('h1:text-is("Help")');
    await close(page);
});
