// Read-only YAML: coloured, numbered, only the lines in view are drawn.

import { useMemo, useState } from 'preact/hooks';
import { tokenLines } from '../lib/yamltokens';
import { Button, copyText } from './controls';
import { VirtualList } from './virtual';

const LINE = 19;

export default function YamlView({ text, label }: { text: string; label: string }) {
    const [wrap, setWrap] = useState(false);
    const lines = useMemo(() => text.replace(/\n$/, '').split('\n'), [text]);
    const tokens = useMemo(() => tokenLines(lines), [lines]);
    const keys = useMemo(() => lines.map((_, i) => String(i)), [lines]);
    const row = (i: number) => tokens[i]!.map((t, k) => (t.kind === 'text' ? t.text : <span key={k} class={`y-${t.kind}`}>{t.text}</span>));
    return (
        <div class="yaml">
            <div class="yaml-bar">
                <span class="muted small">{lines.length} lines</span>
                <span class="grow" />
                <Button tiny kind="quiet" label="Wrap" pressed={wrap} onClick={() => setWrap(!wrap)} />
                <Button tiny kind="quiet" icon="copy" label="Copy" onClick={() => copyText(text, 'the manifest')} />
            </div>
            {wrap ? (
                // Wrapped lines have no fixed height: drawn whole, up to a size that a page bears.
                <div class="yaml-wrapped" tabIndex={0} role="group" aria-label={label}>
                    {lines.slice(0, 3000).map((_, i) => (
                        <div class="yaml-line" key={i}>
                            <span class="no">{i + 1}</span>
                            <code>{row(i)}</code>
                        </div>
                    ))}
                    {lines.length > 3000 && <p class="muted">{lines.length - 3000} more lines: copy, or switch wrapping off.</p>}
                </div>
            ) : (
                <VirtualList name={`yaml ${label}`} class="yaml-lines" keys={keys} rowHeight={LINE} overscan={10} outer={{ role: 'group', 'aria-label': label, tabIndex: 0 }}>
                    {(_, i, slot) => (
                        <div class="yaml-line" key={slot}>
                            <span class="no">{i + 1}</span>
                            <code>{row(i)}</code>
                        </div>
                    )}
                </VirtualList>
            )}
        </div>
    );
}
