// Lines on a field of 24; drawn in the colour of the text around.
const shapes = {
  overview: 'M4 13h6V4H4zM14 20h6V4h-6zM4 20h6v-3H4z',
  analysis: 'M4 20V4M4 20h16M8 16v-5M12.5 16V7M17 16v-7',
  records: 'M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01',
  accounts: 'M6 4h12v16H6zM9.5 10a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0M8.5 17c.7-2 2-3 3.5-3s2.800 1 3.500 3',
  nodes: 'M4 5h16v6H4zM4 13h16v6H4zM7.500 8h.01M7.500 16h.01',
  status: 'M3 12h4l3 8 4-16 3 8h4',
  key: 'M14 10a4 4 0 1 0-4 4 4 4 0 0 0 4-4zM13 13l7 7M17 17l2-2',
  account: 'M8 8a4 4 0 1 0 8 0 4 4 0 1 0-8 0M4 20c1-4 4-6 8-6s7 2 8 6',
  users: 'M5 8a3.500 3.500 0 1 0 7 0 3.500 3.500 0 1 0-7 0M2 20c.6-4 3-6 6.500-6s5.900 2 6.500 6M16 4.800a3.500 3.500 0 0 1 0 6.400M18 14.500c2.200.8 3.500 2.600 4 5.500',
  policies: 'M12 3l8 3v6c0 5-3.500 8-8 9-4.500-1-8-4-8-9V6zM8.500 12l2.500 2.500 4.500-5',
  prices: 'M12 3v18M16.500 7.500C16 6 14.500 5 12 5 9.500 5 7.500 6.200 7.500 8.500c0 4.500 9.500 2.500 9.500 7 0 2.300-2.200 3.500-5 3.500-2.700 0-4.500-1.200-5-3',
  audit: 'M7 3h7l5 5v13H7zM14 3v5h5M10 13h6M10 17h6',
  settings: 'M4 7h10M18 7h2M14 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M4 17h2M10 17h10M6 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0',
  jobs: 'M12 7v5l3.500 2M3.500 12a8.500 8.500 0 1 0 17 0 8.500 8.500 0 1 0-17 0',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  eye: 'M2.500 12C4.500 8 8 6 12 6s7.500 2 9.500 6c-2 4-5.500 6-9.500 6s-7.500-2-9.500-6zM9.500 12a2.500 2.500 0 1 0 5 0 2.500 2.500 0 1 0-5 0',
  'eye-off': 'M4 4l16 16M9.500 6.300A10 10 0 0 1 12 6c4 0 7.500 2 9.500 6a13 13 0 0 1-2.700 3.500M6.500 7.800A12.500 12.500 0 0 0 2.500 12c2 4 5.500 6 9.500 6a10 10 0 0 0 4.500-1M10 10.300a2.500 2.500 0 0 0 3.600 3.500',
  down: 'M6 9l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  right: 'M9 6l6 6-6 6',
  left: 'M15 6l-6 6 6 6',
  search: 'M5 11a6 6 0 1 0 12 0 6 6 0 1 0-12 0M15.500 15.500L20 20',
  plus: 'M12 5v14M5 12h14',
  refresh: 'M20 12a8 8 0 1 1-2.500-5.800M20 4v4h-4',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  upload: 'M12 16V5M7 9l5-5 5 5M5 20h14',
  filter: 'M4 6h16M7 12h10M10 18h4',
  columns: 'M4 5h16v14H4zM10 5v14M15 5v14',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  warn: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  info: 'M3.500 12a8.500 8.500 0 1 0 17 0 8.500 8.500 0 1 0-17 0M12 11v5M12 8h.01',
  lock: 'M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  sun: 'M8 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0M12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1 1M17.400 17.400l1 1M18.400 5.600l-1 1M6.600 17.400l-1 1',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z',
  auto: 'M4 5h16v11H4zM9 20h6M12 16v4',
  language: 'M3.500 12a8.500 8.500 0 1 0 17 0 8.500 8.500 0 1 0-17 0M3.500 12h17M12 3.500c2.500 2.500 3.500 5.500 3.500 8.500s-1 6-3.500 8.500c-2.500-2.500-3.500-5.500-3.500-8.500s1-6 3.500-8.500z',
  'sign-out': 'M14 4H5v16h9M10 12h11M17 8l4 4-4 4',
  link: 'M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.700-5.700L12 7M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.700 5.700L12 17',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  play: 'M7 5l12 7-12 7z',
  pause: 'M8 5v14M16 5v14',
  mail: 'M3 6h18v12H3zM3 7l9 6 9-6',
  calendar: 'M4 6h16v14H4zM4 10h16M8 3v4M16 3v4',
  book: 'M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11',
} as const;

export type IconName = keyof typeof shapes;

/// A sign beside words, or alone where what is around it has a label.
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" width={size} height={size} fill="none" stroke="currentColor"
      strokeWidth={1.8} strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
