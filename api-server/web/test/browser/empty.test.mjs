import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, open, setup } from './helpers.mjs';

const t = setup({ apps: 0 });

test('scenario 3: no applications; one made by the form opens', async () => {
    const page = await open(t, '/applications');
    await page.waitForSelector('[data-testid=no-apps]');
    await page.click('text=Create application');
    await page.click('[data-testid=create-go]');
    assert.equal(await page.getAttribute('#new-name', 'aria-invalid'), 'true', 'errors stand at their fields');
    await page.fill('#new-name', 'guestbook');
    await page.fill('#new-repo', 'https://git.example/apps.git');
    await page.fill('#new-path', 'guestbook');
    await page.fill('#new-namespace', 'guestbook');
    await page.reload();
    await page.waitForSelector('#new-name');
    assert.equal(await page.inputValue('#new-path'), 'guestbook', 'the draft survives a reload');
    await page.keyboard.press('Escape');
    await page.click('text=Keep editing');
    assert.equal(await page.inputValue('#new-path'), 'guestbook', 'and a stray key');
    await page.click('text=Sync automatically');
    await page.click('[data-testid=create-go]');
    await page.waitForURL('**/applications/argocd/guestbook');
    await page.waitForSelector('[data-testid=card-health]');
    assert.deepEqual(t.server.rest.lastCreated, {
        metadata: { name: 'guestbook' },
        spec: {
            project: 'default',
            source: { repoURL: 'https://git.example/apps.git', targetRevision: 'HEAD', path: 'guestbook' },
            destination: { server: 'https://kubernetes.default.svc', namespace: 'guestbook' },
            syncPolicy: { automated: { prune: false, selfHeal: false } },
        },
    });
    await close(page);
});

test('the name is taken: the server’s words, and the draft stays', async () => {
    const page = await open(t, '/applications?new=%7B%22name%22%3A%22guestbook%22%2C%22repo%22%3A%22https%3A%2F%2Fg%2Fr%22%2C%22path%22%3A%22.%22%7D', { expect: ['409'] });
    await page.click('[data-testid=create-go]');
    await page.waitForSelector('text=application "guestbook" already exists');
    assert.equal(await page.inputValue('#new-name'), 'guestbook');
    await close(page);
});
