import { useTranslation } from 'react-i18next';
import { languages, setLanguage } from '../i18n';
import { setTheme, useTheme } from '../state/theme';
import type { Theme } from '../state/theme';
import type { IconName } from '../ui/Icon';
import { Menu } from '../ui/Menu';

export function LanguageMenu() {
  const { t, i18n } = useTranslation();
  return (
    <Menu label={t('language')} icon="language" items={languages.map((one) => ({
      key: one.code,
      label: <span lang={one.code}>{one.name}</span>,
      chosen: i18n.language === one.code,
      onPick: () => void setLanguage(one.code),
    }))} />
  );
}

const themes: readonly { theme: Theme; icon: IconName }[] = [
  { theme: 'auto', icon: 'auto' }, { theme: 'light', icon: 'sun' }, { theme: 'dark', icon: 'moon' },
];

export function ThemeMenu() {
  const { t } = useTranslation();
  const { theme, dark } = useTheme();
  return (
    <Menu label={t('theme.label')} icon={dark ? 'moon' : 'sun'} items={themes.map((one) => ({
      key: one.theme,
      label: t(`theme.${one.theme}`),
      icon: one.icon,
      chosen: theme === one.theme,
      onPick: () => setTheme(one.theme),
    }))} />
  );
}
