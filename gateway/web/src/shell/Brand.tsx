import { Link } from 'wouter';
import { portalUrl } from '../api/base';

export function Brand() {
  return (
    <Link href="/" className="brand">
      <img src={portalUrl('icon.svg').href} width={24} height={24} alt="" />
      Key Portal
    </Link>
  );
}
