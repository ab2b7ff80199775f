import assert from 'node:assert/strict';
import { test } from 'node:test';
import { application } from '../fake/world.mjs';
import { close, elements, names, open, setup, shown, until } from './helpers.mjs';

const t = setup({ apps: 100, stepMs: 40 });
const facet = (page, id, value) => page.click(`[data-testid=facet-${id}] label:has-text("${value}")`);

test('scenario 4: another client creates an application, and it appears without a request', async () => {
    const page = await open(t, '/applications');
    await page.waitForSelector('[data-testid=app]');
    await page.waitForTimeout(200);
    const before = page.requested.length;
    t.server.world.add(application('aaa-new'));
    const at = Date.now();
    await page.waitForSelector('a.name:text-is("aaa-new")', { timeout: 1000 });
    assert.ok(Date.now() - at < 1000);
    assert.deepEqual(page.requested.slice(before), []);
    t.server.world.remove('argocd/aaa-new');
    await page.waitForSelector('a.name:text-is("aaa-new")', { state: 'detached', timeout: 1000 });
    await close(page);
});

test('scenario 5: filters, fitting counts, an address that means the same elsewhere, clear all', async () => {
    const page = await open(t, '/applications?view=list');
    await page.waitForSelector('[data-testid=app]');
    const all = await shown(page);
    await facet(page, 'health', 'Degraded');
    await page.fill('[data-testid=facet-labels] input.input', 'team=a');
    await page.keyboard.press('Enter');
    await page.hover('[data-testid=facet-proj] li:has-text("x")');
    await page.click('[data-testid=facet-proj] button[aria-label="Exclude x"]');
    const want = [...t.server.world.apps.values()].filter(a => a.status.health.status === 'Degraded' && a.metadata.labels.team === 'a' && a.spec.project !== 'x');
    await until(async () => (await names(page)).length === want.length);
    assert.deepEqual((await names(page)).sort(), want.map(a => a.metadata.name).sort());
    const count = await page.textContent('[data-testid=facet-health] li:has-text("Degraded") .count');
    assert.equal(Number(count), want.length);
    assert.match(page.url(), /health=Degraded/);
    assert.match(page.url(), /proj=%21x/);
    assert.match(page.url(), /labels=team%253Da/);
    const other = await open(t, page.url().slice(t.server.url.length));
    await until(async () => (await names(other)).length === want.length);
    assert.deepEqual(await names(other), await names(page));
    await close(other);
    await page.click('[data-testid=clear-all]');
    await until(async () => (await shown(page)) === all);
    await close(page);
});

test('search marks what it found; a broken expression says so; nothing found offers the way back', async () => {
    const page = await open(t, '/applications?view=list');
    await page.fill('[data-testid=search]', 'SVC-001');
    await until(async () => (await names(page)).every(n => n.startsWith('svc-001')));
    assert.equal(await page.textContent('mark'), 'svc-001');
    await page.click('.regex');
    await page.fill('[data-testid=search]', '(');
    await page.waitForSelector('text=The regular expression is not valid');
    assert.equal(await page.getAttribute('[data-testid=search]', 'aria-invalid'), 'true');
    await page.click('text=Clear filters');
    await page.waitForSelector('[data-testid=app]');
    await close(page);
});

test('columns sort both ways, and the order of the address is kept', async () => {
    const page = await open(t, '/applications?view=list&sort=health');
    await page.waitForSelector('[data-testid=app]');
    const first = () => page.$eval('[data-testid=app] .w-health', e => e.textContent);
    assert.equal(await first(), 'Missing');
    await page.click('[role=columnheader] button:has-text("Health")');
    await until(async () => (await first()) === 'Healthy');
    assert.match(page.url(), /dir=desc/);
    assert.equal(await page.getAttribute('[role=columnheader]:has-text("Health")', 'aria-sort'), 'descending');
    await close(page);
});

test('scenario 7: select twenty with Shift, sync, one is refused, retry only that one', async () => {
    const victim = [...t.server.world.apps.keys()].filter(k => k.includes('svc-')).sort()[10];
    const name = victim.split('/')[1];
    t.server.rest.denySync = object => object.endsWith(`/${name}`);
    const page = await open(t, '/applications?view=list&search=svc-00', { expect: ['403'] });
    await page.waitForSelector('[data-testid=app]');
    const boxes = page.locator('[data-testid=app] .w-check input');
    await boxes.nth(0).click();
    await boxes.nth(19).click({ modifiers: ['Shift'] });
    assert.match(await page.textContent('[data-testid=selection]'), /20 selected/);
    await page.click('[data-testid=bulk-sync]');
    await page.click('[data-testid=bulk-go]');
    await page.waitForSelector('text=1 failed', { timeout: 8000 });
    assert.equal(await page.locator('[data-testid=bulk-line]').count(), 20);
    assert.match(await page.textContent(`[data-testid=bulk-line]:has-text("${name}")`), /You need applications, sync/);
    t.server.rest.denySync = () => false;
    t.server.rest.requests.length = 0;
    await page.click('[data-testid=retry-failed]');
    await page.waitForSelector('text=All requested');
    assert.equal(t.server.rest.requests.filter(r => r.endsWith('/sync')).length, 1);
    await until(async () => (await page.locator('[data-testid=bulk-line]:has-text("Succeeded")').count()) === 20, 6000, 'all synced');
    await close(page);
});

test('keyboard: move, select, open, back to the same place', async () => {
    const page = await open(t, '/applications?view=list');
    await page.waitForSelector('[data-testid=app]');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('data-testid')), 'search');
    await page.keyboard.type('svc-00');
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.waitForSelector('[data-testid=selection]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('[data-testid=selection]', { state: 'detached' });
    await page.waitForTimeout(100);
    const at = await page.evaluate(() => document.activeElement.textContent);
    assert.match(at, /^svc-00/);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/applications/argocd/${at}*`);
    await page.waitForSelector('[data-testid=card]');
    await page.goBack();
    await until(async () => (await page.inputValue('[data-testid=search]')) === 'svc-00');
    await page.keyboard.press('Control+k');
    await page.fill('[data-testid=palette] input', 'gustbok');
    await page.fill('[data-testid=palette] input', 'guest');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/applications/argocd/guestbook');
    await close(page);
});

test('favourites, theme and view outlive a reload', async () => {
    const page = await open(t, '/applications');
    await page.click('[data-testid=app]:has-text("guestbook") .star');
    await page.click('[data-testid=view-list]');
    await page.click('[data-testid=theme]');
    await page.click('[data-testid=theme]');
    await page.goto(`${t.server.url}/applications?showFavorites=true`);
    await until(async () => (await names(page)).join() === 'guestbook');
    assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
    assert.equal(await page.getAttribute('[data-testid=view-list]', 'aria-pressed'), 'true');
    await close(page);
});

test('scenario 24: what I may no longer see vanishes, and its page says so', async () => {
    const page = await open(t, '/applications?proj=shop');
    await page.waitForSelector('[data-testid=app]');
    const hidden = k => t.server.world.apps.get(k)?.spec.project === 'shop';
    t.server.live.policy(hidden);
    await page.waitForSelector('[data-testid=none-match]', { timeout: 2000 });
    await page.goto(`${t.server.url}/applications/argocd/shop`);
    assert.match(await page.textContent('[data-testid=no-app]'), /does not exist, or you may not see it/);
    t.server.live.policy(() => false);
    await close(page);
});

test('a hundred applications make a light page', async () => {
    for (const view of ['tiles', 'list']) {
        const page = await open(t, `/applications?view=${view}`);
        await page.waitForSelector('[data-testid=app]');
        const n = await elements(page, '.apps-list');
        assert.ok(n <= 1500, `${view}: ${n} elements`);
        await close(page);
    }
});
