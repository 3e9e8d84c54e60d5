import { useTranslation } from 'react-i18next';
import { Link, useLocation } from 'wouter';
import { sentenceOf } from '../api/error';
import { useSession } from '../api/session';
import { routes } from '../routes';
import { Menu } from '../ui/Menu';
import type { MenuItem } from '../ui/Menu';
import { toast } from '../ui/Toast';

/// Who is signed in, the way to one's account, and signing out.
export function UserMenu() {
  const { t } = useTranslation();
  const { session, signedIn, may, signOut } = useSession();
  const [path, navigate] = useLocation();
  if (!session) return null;
  if (!signedIn)
    return <Link href={path === '/' ? '/login' : `/login?return_to=${encodeURIComponent(path)}`} className="button">{t('sign_in')}</Link>;
  const leave = async (): Promise<void> => {
    try {
      await signOut();
      navigate('/login');
    } catch (error) {
      toast(sentenceOf(error, t), 'bad');
    }
  };
  const name = session.user?.name || session.user?.email || t('key_view');
  const items: MenuItem[] = [{ key: 'out', label: t('sign_out'), icon: 'sign-out', onPick: () => void leave() }];
  if (may('own.account') && routes.some((row) => row.path === '/account'))
    items.unshift({ key: 'account', label: t('menu.account'), icon: 'account', onPick: () => navigate('/account') });
  return (
    <Menu label={t('user_menu', { name })} icon="account" items={items} head={
      <>
        <strong>{name}</strong>
        {session.user && <div className="soft">{session.user.email}</div>}
        {session.user && <div className="soft">{t(`role.${session.user.role}`)}</div>}
      </>
    } />
  );
}
