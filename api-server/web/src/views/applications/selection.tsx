// The bar that stands over the list while rows are selected.

import { plural } from '../../lib/text';
import { selected } from '../../store/actions';
import { Button } from '../../widgets/controls';
import type { BulkKind } from './bulk';

export function Selection({ keys, matching, onAll, onBulk }: { keys: string[]; matching: number; onAll: () => void; onBulk: (k: BulkKind) => void }) {
    return (
        <div class="selection" role="toolbar" aria-label="Selected applications" data-testid="selection">
            <strong>{plural(keys.length, 'selected', 'selected')}</strong>
            {keys.length < matching && <Button tiny kind="quiet" label={`Select all ${matching.toLocaleString('en-US')}`} onClick={onAll} />}
            <span class="grow" />
            <Button icon="sync" label="Sync…" onClick={() => onBulk('sync')} testid="bulk-sync" />
            <Button icon="refresh" label="Refresh" onClick={() => onBulk('refresh')} />
            <Button icon="refresh" label="Hard refresh" onClick={() => onBulk('hard')} />
            <Button icon="close" label="Clear the selection" bare kind="quiet" onClick={() => (selected.value = new Set())} />
        </div>
    );
}
