// JSON text of an object → YAML to read and to paste into kubectl. Loaded on demand: it brings js-yaml's writer.

import { dump } from 'js-yaml';

// Numbers that a double cannot hold keep their text: they travel through the writer as marked strings.
const MARK = '\u2063num:';

interface Context {
    source?: string;
}

function exactNumbers(_key: string, v: unknown, ctx?: Context): unknown {
    if (typeof v !== 'number' || !ctx?.source || Number.isSafeInteger(v)) return v;
    return String(v) === ctx.source ? v : MARK + ctx.source;
}

export interface ManifestOptions {
    hideManagedFields: boolean;
}

export function toYaml(json: string, o: ManifestOptions): string {
    if (json === '' || json === 'null') return '';
    const doc = JSON.parse(json, exactNumbers as (k: string, v: unknown) => unknown) as { metadata?: { managedFields?: unknown } } | null;
    if (o.hideManagedFields && doc?.metadata) delete doc.metadata.managedFields;
    const text = dump(doc, { lineWidth: -1, noRefs: true });
    return text.replace(new RegExp(`(["']?)${MARK}([-+0-9.eE]+)\\1`, 'g'), '$2');
}
