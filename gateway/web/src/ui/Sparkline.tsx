import './Sparkline.css';

/// The way a figure went, beside the figure. `label` says it in words; null where nothing is known.
export function Sparkline({ values, label, height = 32 }: { values: readonly (number | null)[]; label: string; height?: number }) {
  const known = values.filter((one): one is number => one !== null);
  const most = Math.max(...known, 0);
  const least = Math.min(...known, 0);
  const span = most - least || 1;
  const x = (at: number): number => (values.length < 2 ? 50 : (at / (values.length - 1)) * 100);
  const y = (value: number): number => 30 - ((value - least) / span) * 28;
  const runs: string[] = [];
  let open = false;
  values.forEach((one, at) => {
    if (one !== null) runs.push(`${open ? 'L' : 'M'}${x(at).toFixed(2)} ${y(one).toFixed(2)}`);
    open = one !== null;
  });
  return (
    <svg className="sparkline" role="img" aria-label={label} viewBox="0 0 100 32" height={height} preserveAspectRatio="none">
      {known.length > 0 && <path d={runs.join('')} vectorEffect="non-scaling-stroke" />}
    </svg>
  );
}
