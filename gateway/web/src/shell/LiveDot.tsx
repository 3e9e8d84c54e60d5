import { useTranslation } from 'react-i18next';
import { useLiveState } from '../api/live_provider';
import { useSession } from '../api/session';

/// Whether what is shown is told as it happens.
export function LiveDot() {
  const { t } = useTranslation();
  const { session } = useSession();
  const state = useLiveState();
  if (!session?.rights.length) return null;
  return (
    <span className={`live live-${state}`} title={t(`live.${state}_note`)} role="status">
      <span className="live-dot" aria-hidden="true" />
      <span className="live-text">{t(`live.${state}`)}</span>
    </span>
  );
}
