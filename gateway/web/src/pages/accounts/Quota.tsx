import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/types';
import { Ago } from '../../ui';
import { fullness } from './words';

/// A bar for each window; `whole` also says when it begins anew and how it goes on.
export function Quota({ windows, whole = false }: { windows: readonly Schemas['quota_window'][]; whole?: boolean }) {
  const { t } = useTranslation('accounts');
  if (windows.length === 0) return <span className="faint">–</span>;
  return (
    <div className="account-quota">
      {(whole ? windows : windows.slice(0, 3)).map((one) => {
        const { percent, tone } = fullness(one.used);
        return (
          <div key={one.name} className="account-window">
            <span className="account-window-name">{one.name}</span>
            <meter className={`account-meter is-${tone}`} min={0} max={100} value={percent} aria-label={t('window_used', { name: one.name, percent: Math.round(one.used) })} />
            <span className="nums">{Math.round(one.used)} %</span>
            {whole && (
              <span className="soft account-window-more">
                {one.begins_anew && <>{t('begins_anew')} <Ago at={one.begins_anew} /> </>}
                {one.forecast.at && <>{one.forecast.sure ? t('used_up') : t('used_up_perhaps')} <Ago at={one.forecast.at} /></>}
              </span>
            )}
          </div>
        );
      })}
    </div>
  );
}
