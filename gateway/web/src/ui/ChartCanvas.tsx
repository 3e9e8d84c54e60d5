import { useEffect, useRef } from 'react';
import * as echarts from 'echarts/core';
import { BarChart, HeatmapChart, LineChart, PieChart, ScatterChart } from 'echarts/charts';
import {
  BrushComponent, DataZoomComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent,
} from 'echarts/components';
import { CanvasRenderer } from 'echarts/renderers';
import type { ChartProps } from './Chart';
import { chartTheme } from './chart_theme';

echarts.use([
  BarChart, HeatmapChart, LineChart, PieChart, ScatterChart, BrushComponent, DataZoomComponent, GridComponent,
  LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent, CanvasRenderer,
]);

/// The part of Chart that needs ECharts.
export default function ChartCanvas({ option, onClick, onSpan, group }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts>();
  const click = useRef(onClick);
  click.current = onClick;
  const span = useRef(onSpan);
  span.current = onSpan;

  useEffect(() => {
    if (!box.current) return;
    const made = echarts.init(box.current, chartTheme(), { renderer: 'canvas' });
    chart.current = made;
    if (group) {
      made.group = group;
      echarts.connect(group);
    }
    made.on('click', (at) => click.current?.({ name: at.name, seriesName: at.seriesName, dataIndex: at.dataIndex, value: at.value }));
    made.on('brushEnd', (event) => {
      const range = (event as { areas?: { coordRange?: [number, number] }[] }).areas?.[0]?.coordRange;
      if (!range) return;
      made.dispatchAction({ type: 'brush', areas: [] });
      span.current?.(Math.round(range[0]), Math.round(range[1]));
    });
    const watch = new ResizeObserver(() => made.resize());
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      made.dispose();
    };
  }, [group]);

  const choosing = !!onSpan;
  useEffect(() => {
    // The figures are painted first: a chart takes longer than they do.
    const draw = (): void => {
      const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
      chart.current?.setOption({
        animation: !still,
        animationDuration: 200,
        ...(choosing ? { brush: { xAxisIndex: 0, brushType: 'lineX', toolbox: [], brushStyle: { opacity: 0.2 } } } : {}),
        ...option,
      }, { notMerge: true });
      if (choosing)
        chart.current?.dispatchAction({ type: 'takeGlobalCursor', key: 'brush', brushOption: { brushType: 'lineX', brushMode: 'single' } });
    };
    const soon = setTimeout(draw);
    return () => clearTimeout(soon);
  }, [option, choosing]);
  return <div className="chart-canvas" ref={box} />;
}
