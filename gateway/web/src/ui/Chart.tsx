import { lazy, Suspense } from 'react';
import type { EChartsCoreOption } from 'echarts/core';
import { useTheme } from '../state/theme';
import { Loading } from './States';
import './Chart.css';

export type { EChartsCoreOption as ChartOption } from 'echarts/core';

export interface ChartProps {
  /// What it shows, in words: for those who do not see it.
  label: string;
  /// As ECharts takes it. Colours, axes and fonts are of the theme unless given.
  option: EChartsCoreOption;
  height?: number;
  onClick?: (at: { name: string; seriesName?: string; dataIndex: number; value: unknown }) => void;
  /// A span of the time axis was chosen by dragging, in milliseconds.
  onSpan?: (from: number, to: number) => void;
  /// Charts of one group show the same place when one is pointed at.
  group?: string;
}

const Canvas = lazy(() => import('./ChartCanvas'));

/// A chart; its library comes when the first one is drawn. Give the same figures as a table as well where they matter.
export function Chart(props: ChartProps) {
  const { dark } = useTheme();
  return (
    <figure className="chart" aria-label={props.label} role="img" style={{ height: props.height ?? 280 }}>
      <Suspense fallback={<Loading rows={5} />}><Canvas {...props} key={dark ? 'dark' : 'light'} /></Suspense>
    </figure>
  );
}
