/// A colour or font of the theme that is on.
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/// The colours for series, in their order.
export function seriesColours(): string[] {
  return Array.from({ length: 9 }, (_, at) => token(`chart-${at + 1}`));
}

/// The theme that is on, as ECharts takes it.
export function chartTheme(): Record<string, unknown> {
  const soft = token('text-soft');
  const line = token('line');
  const axis = {
    axisLine: { lineStyle: { color: line } },
    axisTick: { show: false },
    axisLabel: { color: soft, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: line } },
    nameTextStyle: { color: soft },
  };
  return {
    color: seriesColours(),
    backgroundColor: 'transparent',
    textStyle: { fontFamily: token('font'), color: token('text') },
    grid: { left: 8, right: 8, top: 32, bottom: 8, containLabel: true },
    legend: {
      textStyle: { color: soft, fontSize: 12 }, top: 0, left: 0, itemWidth: 10, itemHeight: 10, icon: 'roundRect', type: 'scroll',
      pageTextStyle: { color: soft }, pageIconColor: soft, inactiveColor: line,
    },
    tooltip: {
      backgroundColor: token('raised'), borderColor: line, textStyle: { color: token('text'), fontSize: 12 }, confine: true,
      axisPointer: { lineStyle: { color: token('line-strong') }, crossStyle: { color: token('line-strong') } },
    },
    categoryAxis: { ...axis, splitLine: { show: false } },
    valueAxis: { ...axis, axisLine: { show: false } },
    timeAxis: { ...axis, splitLine: { show: false } },
    logAxis: axis,
    line: { showSymbol: false, smooth: false, lineStyle: { width: 1.8 } },
    visualMap: { textStyle: { color: soft } },
  };
}
