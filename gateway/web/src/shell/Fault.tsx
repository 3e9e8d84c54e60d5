import { Component } from 'react';
import type { ReactNode } from 'react';
import { i18n } from '../i18n';
import { Button } from '../ui/Button';
import { Empty } from '../ui/States';

interface Props { children: ReactNode; at?: string }

/// Instead of an empty window when a page breaks, or could not be fetched because the portal was renewed meanwhile.
export class Fault extends Component<Props, { broken: boolean }> {
  state = { broken: false };
  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }
  componentDidUpdate(before: Props): void {
    if (this.state.broken && before.at !== this.props.at) this.setState({ broken: false });
  }
  render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return (
      <div role="alert">
        <Empty icon="warn" title={i18n.t('fault_title')}
          action={<Button kind="main" icon="refresh" onClick={() => location.reload()}>{i18n.t('load_again')}</Button>}>
          {i18n.t('fault_text')}
        </Empty>
      </div>
    );
  }
}
