import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, open, setup, until } from './helpers.mjs';

const t = setup({ apps: 5 });

test('scenario 1: logged out, wrong password, right password, where I wanted to go', async () => {
    const page = await open(t, '/', { anonymous: true, expect: ['401'] });
    await page.waitForURL('**/login?return_url=%2Fapplications');
    await page.goto(`${t.server.url}/applications/argocd/guestbook?view=list`);
    await page.waitForURL('**/login?return_url=*');
    assert.equal(await page.getAttribute('[name=username]', 'autocomplete'), 'username');
    await page.fill('[name=username]', 'admin');
    await page.fill('[name=password]', 'wrong');
    await page.keyboard.press('Enter');
    assert.equal((await page.textContent('[data-testid=login-error]')).trim(), 'Invalid username or password');
    await page.fill('[name=password]', 'secret');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/applications/argocd/guestbook?view=list');
    await page.waitForSelector('[data-testid=resource-row]');
    await close(page);
});

test('scenario 2: single sign-on, and a foreign return_url is not followed', async () => {
    t.server.rest.settings = { ...t.server.rest.settings, oidcConfig: { name: 'Okta' }, userLoginsDisabled: true };
    const page = await open(t, '/login?return_url=https%3A%2F%2Fevil.example%2Fx', { anonymous: true });
    const sso = await page.waitForSelector('[data-testid=sso]');
    assert.equal(await sso.textContent(), 'Log in via Okta');
    assert.equal(await page.$('[name=password]'), null);
    const back = new URL(await sso.getAttribute('href'), t.server.url).searchParams.get('return_url');
    assert.equal(back, `${t.server.url}/applications`);
    await page.goto(`${t.server.url}/login?return_url=%2Fapplications%3Fhealth%3DDegraded`);
    const link = await (await page.waitForSelector('[data-testid=sso]')).getAttribute('href');
    assert.equal(new URL(link, t.server.url).searchParams.get('return_url'), `${t.server.url}/applications?health=Degraded`);
    t.server.rest.settings = { controllerNamespace: 'argocd', userLoginsDisabled: true };
    await page.reload();
    await page.waitForSelector('text=Login is disabled');
    t.server.rest.settings = { controllerNamespace: 'argocd' };
    await close(page);
});

test('an unknown page says so, an absent or hidden application too', async () => {
    const page = await open(t, '/nowhere');
    await page.waitForSelector('[data-testid=not-found]');
    await page.goto(`${t.server.url}/applications/argocd/absent`);
    const text = await page.textContent('[data-testid=no-app]');
    assert.match(text, /does not exist, or you may not see it/);
    assert.match(text, /applications, get/);
    await close(page);
});

test('scenario 23: a revoked token costs one userinfo and one redirect', async () => {
    const page = await open(t, '/applications/argocd/shop');
    await page.waitForSelector('[data-testid=card]');
    await page.waitForTimeout(300);
    t.server.rest.requests.length = 0;
    t.server.revoke();
    await page.waitForURL('**/login?return_url=*');
    await page.waitForSelector('[name=password]');
    await page.waitForTimeout(1500);
    const before = t.server.rest.requests.filter(r => r.includes('userinfo')).length;
    // One that decided, and one of the login page's own start.
    assert.ok(before <= 2, t.server.rest.requests.join('\n'));
    assert.ok(t.server.rest.requests.length < 8, t.server.rest.requests.join('\n'));
    assert.equal(t.server.live.connections.size, 0);
    t.server.rest.sessions.add('test');
    await close(page);
});

test('the way out: log out ends at the login page', async () => {
    const page = await open(t, '/applications');
    await page.click('[data-testid=user-menu]');
    await page.click('text=Log out');
    await page.waitForURL('**/login**');
    await until(async () => t.server.live.connections.size === 0);
    await close(page);
});
