"""What people will do: buy, stay, leave, be moved.

predictions    churn and propensity            cancelling     who will end their subscription
lifetime       what customers will buy and spend, held beside what they did
subscriptions  the same of subscribers, who tell when they leave
uplift         who is worth treating, judged on people held back
"""
