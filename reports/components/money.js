const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 2 });
const compactUsd = new Intl.NumberFormat('en-US', {
	style: 'currency',
	currency: 'USD',
	notation: 'compact',
	minimumFractionDigits: 0,
	maximumFractionDigits: 4
});

/** Short enough for a tile: 815.02M. */
export const shortNumber = (value) => compact.format(value);

/** For the ticks of an axis, which are round numbers: $2.5K. */
export const axisUsd = (value) => compactUsd.format(value);
