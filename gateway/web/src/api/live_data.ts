import type { QueryClient } from '@tanstack/react-query';
import type { Frame, Node, Schemas } from './types';

type Summary = Schemas['summary'];

/// What comes together is asked for together; after that not again for a while.
const soonMs = 20;
const apartMs = 3000;

/// What a key, a person or a group may use changes with each of them.
const budgets = ['/api/v1/me/keys/{name}/budgets', '/api/v1/keys/{name}/budgets'];

/// Which answers an event makes old, by the second-last but one word of its subject.
const touched: Record<string, readonly string[]> = {
  key: [...budgets, '/api/v1/keys', '/api/v1/keys/{name}', '/api/v1/me/keys', '/api/v1/me/keys/{name}', '/api/v1/pool'],
  user: [...budgets, '/api/v1/users', '/api/v1/users/{name}'],
  policy: [...budgets, '/api/v1/policies'],
  pool: ['/api/v1/pool'],
  price: ['/api/v1/prices', '/api/v1/prices/unpriced'],
  node: ['/api/v1/nodes/{node}/restarts', '/api/v1/nodes/{node}/gaps', '/api/v1/nodes/{node}/incompletes',
    '/api/v1/nodes/{node}/snapshots', '/api/v1/nodes/{node}/keys', '/api/v1/summary'],
  backup: ['/api/v1/backups'],
};

/// Puts what live frames tell into what the pages show; what they only hint at is asked anew, at once, then at most every few seconds.
export class LiveData {
  private readonly waiting = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private asked = -Infinity;

  constructor(private readonly queries: QueryClient) {}

  take(frame: Frame): void {
    switch (frame.type) {
      case 'overview':
        this.patchSummary((old) => ({ ...old, ...frame, type: undefined }) as Summary);
        this.old('/api/v1/summary', '/api/v1/nodes', '/api/v1/nodes/{node}');
        break;
      case 'node':
        this.patchNode(frame.node, (node) => ({ ...node, ...frame, type: undefined }) as Node);
        this.old('/api/v1/nodes', '/api/v1/nodes/{node}');
        break;
      case 'usage_update':
        this.patchNode(frame.node, (node) => ({ ...node, totals: frame.totals, today: frame.today }));
        this.old('/api/v1/usage', '/api/v1/records', '/api/v1/summary');
        break;
      case 'own_usage':
        this.old('/api/v1/me/usage', '/api/v1/me/records', ...budgets);
        break;
      case 'job':
        this.old('/api/v1/jobs', '/api/v1/ledger/check', '/api/v1/prices/reprice', '/api/v1/backups', '/api/v1/retention');
        break;
      case 'event': {
        const about = frame.subject.split('.')[2] ?? '';
        this.old(...(touched[about] ?? []), '/api/v1/audit');
        if (frame.node) this.old(...touched.node!);
        break;
      }
      case 'gap':
        // What was missed cannot be told: everything is asked anew.
        void this.queries.invalidateQueries();
        break;
      default:
    }
  }

  private patchSummary(change: (old: Summary) => Summary): void {
    this.queries.setQueriesData<Summary>({ queryKey: ['/api/v1/summary'] }, (old) => (old ? change(old) : old));
  }
  private patchNode(name: string, change: (old: Node) => Node): void {
    this.patchSummary((old) => ({ ...old, nodes: old.nodes.map((one) => (one.node === name ? change(one) : one)) }));
  }

  private old(...paths: string[]): void {
    paths.forEach((path) => this.waiting.add(path));
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.asked = Date.now();
      const now = [...this.waiting];
      this.waiting.clear();
      for (const path of now) void this.queries.invalidateQueries({ queryKey: [path] });
    }, Math.max(soonMs, this.asked + apartMs - Date.now()));
  }
}
