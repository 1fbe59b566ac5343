use proptest::prelude::*;

use super::sample::Sample;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_sample_is_whole_or_five_hundred_spread_over_all(count in 0..20_000usize) {
        let mut sample = Sample::default();
        (0..count).for_each(|number| sample.offer(1, || number));
        let (kept, left_out) = sample.finish();
        prop_assert_eq!(left_out, count > 500);
        prop_assert!(kept.is_sorted() && kept.len() <= 500);
        if count <= 500 {
            prop_assert_eq!(kept.len(), count);
        } else {
            // At least a quarter of what may be shown, and no hole wider than a hundredth of all.
            prop_assert!(kept.len() >= 250, "{}", kept.len());
            prop_assert!(kept.windows(2).all(|pair| pair[1] - pair[0] <= count / 100 + 1));
        }
    }
}

#[test]
fn a_sample_is_bounded_in_bytes() {
    let mut sample = Sample::default();
    (0..100).for_each(|number| sample.offer(1 << 20, || number));
    let (kept, left_out) = sample.finish();
    assert_eq!((kept.len(), left_out), (4, true));
}
