import { useTitle } from '../lib/title';
import { user } from '../store/session';

export default function UserInfo() {
    useTitle('User info');
    const u = user.value;
    return (
        <div class="page narrow">
            <h1>User info</h1>
            <section style={{ marginTop: '16px' }}>
                <dl class="facts">
                    <dt>Username</dt>
                    <dd data-testid="username">{u?.username || 'anonymous'}</dd>
                    <dt>Issuer</dt>
                    <dd>{u?.iss || 'none'}</dd>
                    <dt>Groups</dt>
                    <dd>
                        {u?.groups?.length ? (
                            <ul>
                                {u.groups.map(g => (
                                    <li key={g}>{g}</li>
                                ))}
                            </ul>
                        ) : (
                            'none'
                        )}
                    </dd>
                </dl>
            </section>
        </div>
    );
}
