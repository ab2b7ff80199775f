import { DOCS_URL } from '../product';
import { useTitle } from '../lib/title';
import { safeHref } from '../lib/url';
import { BASE } from '../rest/http';
import { settings } from '../store/session';
import { External } from '../widgets/controls';

const GROUPS: [string, [string, string][]][] = [
    [
        'Everywhere',
        [
            ['Ctrl K', 'Find applications, pages and commands'],
            ['g a', 'Applications'],
            ['g s', 'Settings'],
            ['g u', 'User info'],
            ['?', 'This page'],
            ['Esc', 'Close the topmost panel'],
        ],
    ],
    [
        'Applications',
        [
            ['/', 'Search'],
            ['f', 'Show or hide the filters'],
            ['↑ ↓ or j k', 'Move'],
            ['Home End', 'First and last'],
            ['Enter', 'Open'],
            ['Space or x', 'Select'],
            ['Shift ↑ ↓', 'Select a range'],
            ['a', 'Select all that match'],
            ['s', 'Sync'],
            ['r', 'Refresh'],
            ['Shift R', 'Hard refresh'],
            ['1 2', 'Tiles, table'],
        ],
    ],
    [
        'One application',
        [
            ['1 2', 'Tree, list'],
            ['s', 'Sync'],
            ['r', 'Refresh'],
            ['Shift R', 'Hard refresh'],
            ['o', 'Operation'],
            ['[ ]', 'Previous and next application'],
            ['/', 'Filter by name'],
            ['↑ ↓ ← →', 'Move in the tree'],
            ['Enter', 'Open the resource'],
            ['.', 'Fold or unfold'],
            ['+ − 0', 'Zoom, fit'],
        ],
    ],
];

export default function Help() {
    useTitle('Help');
    const chat = safeHref(settings.value.help?.chatUrl, BASE);
    return (
        <div class="page">
            <h1>Help</h1>
            <section style={{ marginTop: '12px' }}>
                <p>
                    <External href={DOCS_URL}>Documentation</External>
                    {chat && (
                        <>
                            {' · '}
                            <External href={chat}>{settings.value.help?.chatText || 'Chat'}</External>
                        </>
                    )}
                </p>
            </section>
            <section class="keys">
                {GROUPS.map(([title, rows]) => (
                    <div key={title}>
                        <h2>{title}</h2>
                        <ul>
                            {rows.map(([keys, what]) => (
                                <li key={keys}>
                                    <span class="combo">
                                        <kbd>{keys}</kbd>
                                    </span>
                                    {what}
                                </li>
                            ))}
                        </ul>
                    </div>
                ))}
            </section>
        </div>
    );
}
