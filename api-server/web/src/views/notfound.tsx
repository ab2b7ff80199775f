import { useTitle } from '../lib/title';
import { href, path } from '../routes/router';
import { Blank } from '../widgets/states';

export function NotFound() {
    useTitle('Not found');
    return (
        <div class="page">
            <h1 class="sr">Not found</h1>
            <Blank
                icon="search"
                title="There is no such page"
                testid="not-found"
                action={
                    <a class="btn" href={href('/applications')}>
                        Go to applications
                    </a>
                }
            >
                <code>{path.value}</code> does not exist here.
            </Blank>
        </div>
    );
}
