import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { sentenceOf } from '../../api/error';
import { useSession } from '../../api/session';

/// Runs one step of signing in; afterwards the session says what comes next.
export function useSignIn(step: () => Promise<unknown>) {
  const { t } = useTranslation();
  const { refresh } = useSession();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState('');
  const run = async (): Promise<boolean> => {
    if (busy) return false;
    setBusy(true);
    setFault('');
    try {
      await step();
      await refresh();
      return true;
    } catch (error) {
      setFault(sentenceOf(error, t));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, fault, setFault, run };
}
