// JSON text of an object → YAML to read and to paste into kubectl. Loaded on demand: it brings js-yaml's writer.

import { dump } from 'js-yaml';

// Numbers that a double cannot hold keep their text: they travel through the writer as marked strings.
const MARK = '\u2063num:';

// A string, or a number outside of strings.
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

function keepNumbers(json: string): string {
    return json.replace(TOKEN, t => (t[0] === '"' || String(Number(t)) === t ? t : JSON.stringify(MARK + t)));
}

export interface ManifestOptions {
    hideManagedFields: boolean;
}

export function toYaml(json: string, o: ManifestOptions): string {
    if (json === '' || json === 'null') return '';
    const doc = JSON.parse(keepNumbers(json)) as { metadata?: { managedFields?: unknown } } | null;
    if (o.hideManagedFields && doc?.metadata) delete doc.metadata.managedFields;
    const text = dump(doc, { lineWidth: -1, noRefs: true });
    return text.replace(new RegExp(`(["']?)${MARK}([-+0-9.eE]+)\\1`, 'g'), '$2');
}
