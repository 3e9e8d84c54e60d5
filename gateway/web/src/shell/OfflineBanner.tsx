import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLiveState } from '../api/live_provider';
import { useSession } from '../api/session';
import { Note } from '../ui/States';

const patienceMs = 8000;

/// Says that what is shown may be old: when the browser has no network, or the connection is gone for some seconds.
export function OfflineBanner() {
  const { t } = useTranslation();
  const { error } = useSession();
  const state = useLiveState();
  const [online, setOnline] = useState(() => navigator.onLine);
  const [late, setLate] = useState(false);
  useEffect(() => {
    const look = (): void => setOnline(navigator.onLine);
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => {
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, []);
  useEffect(() => {
    if (state !== 'lost') return setLate(false);
    const timer = setTimeout(() => setLate(true), patienceMs);
    return () => clearTimeout(timer);
  }, [state]);
  if (online && !late && !error?.isOffline) return null;
  return <div className="banner" aria-live="polite"><Note tone="warn">{t('offline_banner')}</Note></div>;
}
